//! The access of the provider to a cluster: all credentials, all failures, the minimum rights, and
//! how it recognises the cluster of its objects.

pub mod account;
mod proxy;
mod rights;

use serde_json::{Value as Json, json};

use account::{Cluster, token};
use proxy::Proxy;

use crate::tenant::{Tenant, kubeconfig};
use crate::workspace::{Said, Workspace};

const KEY: &str = "resource \"flower_supernode_key\" \"site\" {\n  name = \"site\"\n}\n";
const ADDRESS: &str = "flower_supernode_key.site";

/// A provider with these settings.
fn provider(namespace: &str, settings: &str) -> String {
    let prefix = std::env::var("FLOWER_TEST_IMAGE_PREFIX").unwrap_or_default();
    format!(
        "provider \"flower\" {{\nkubernetes = {{\nnamespace = {namespace:?}\nimage_prefix = {prefix:?}\n{settings}\n}}\n}}\n"
    )
}

/// A kubeconfig with this user.
fn kubeconfig_of(cluster: &Cluster, user: &Json) -> String {
    use base64::Engine as _;
    let ca = base64::engine::general_purpose::STANDARD.encode(&cluster.ca);
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{ "name": "c", "context": { "cluster": "k", "user": "u" } }],
        "clusters": [{
            "name": "k",
            "cluster": { "server": cluster.host, "certificate-authority-data": ca },
        }],
        "users": [{ "name": "u", "user": user }],
    })
    .to_string()
}

/// Writes an exec plugin that prints a token, and returns a setting for it.
fn exec(it: &Workspace, token: &str) -> String {
    it.file(
        "login.sh",
        "test \"$1\" = --now || exit 3\n\
         echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",'\
         '\"status\":{\"token\":\"'$PASS'\"}}'\n",
    );
    let script = it.path("login.sh").display().to_string();
    format!(
        "exec = {{\ncommand = \"sh\"\nargs = [{script:?}, \"--now\"]\nenv = {{ PASS = {token:?} }}\n}}\n"
    )
}

#[track_caller]
fn keeps_secret(it: &Workspace, said: &Said, secrets: &[&str]) {
    let written = it.written();
    for secret in secrets {
        // A line in the middle: other lines are the same in every key.
        let line = secret.lines().nth(1).unwrap_or(secret).trim();
        assert!(!written.contains(line), "a secret is in the state or log");
        assert!(!said.text.contains(line), "a secret is in the output");
    }
}

#[test]
fn every_way_into_a_cluster_leads_there() {
    let tenant = Tenant::a();
    let (Some(account), Some(cluster)) = (tenant.account(), Cluster::of(&tenant)) else {
        return;
    };
    let token = &account.token;
    let it = Workspace::new("");
    it.file("token", token);
    it.file(
        "kube/config",
        &kubeconfig_of(&cluster, &json!({ "token": token })),
    );
    let exec = exec(&it, token);
    let script = it.path("login.sh").display().to_string();
    let user = json!({ "exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": [script, "--now"],
        "env": [{ "name": "PASS", "value": token }],
    }});
    it.file("kube/exec", &kubeconfig_of(&cluster, &user));
    let host = cluster.host();
    let (of_settings, of_file) = (Proxy::start(), Proxy::start());
    let mut file: Json =
        serde_json::from_str(&kubeconfig_of(&cluster, &json!({ "token": token }))).unwrap();
    file["clusters"][0]["cluster"]["proxy-url"] = of_file.url().into();
    it.file("kube/proxy", &file.to_string());
    let ways = [
        format!(
            "config_path = {:?}\nconfig_context = {:?}\n",
            kubeconfig().display().to_string(),
            tenant.context
        ),
        "config_path = \"kube/config\"\n".to_owned(),
        "config_path = \"kube/exec\"\n".to_owned(),
        format!(
            "{host}client_certificate = {:?}\nclient_key = {:?}\n",
            cluster.certificate, cluster.key
        ),
        format!("{host}token = {token:?}\n"),
        format!("{host}token_file = \"token\"\n"),
        format!("{host}{exec}"),
        format!("{host}token = {token:?}\ntls_server_name = \"kubernetes.default.svc\"\n"),
        format!(
            "{host}token = {token:?}\nproxy_url = {:?}\n",
            of_settings.url()
        ),
        "config_path = \"kube/proxy\"\n".to_owned(),
    ];
    let secrets = [token.as_str(), &cluster.key, proxy::PASSWORD];
    for way in ways {
        it.configure(&format!("{}{KEY}", provider(&tenant.namespace, &way)));
        let run = |args: &[&str]| {
            let mut command = it.command(args);
            // The provider must ignore both.
            command.env("HTTPS_PROXY", "http://127.0.0.1:1");
            command.env("KUBECONFIG", "/nonexistent");
            let said = crate::workspace::said(&command.output().unwrap());
            keeps_secret(&it, &said, &secrets);
            said.succeeded()
        };
        run(&["apply", "-auto-approve", "-no-color"]);
        let place = it.state(ADDRESS)["place"].as_str().unwrap().to_owned();
        assert!(place.starts_with("cluster ") && place.ends_with(&tenant.namespace));
        run(&["plan", "-detailed-exitcode", "-no-color"]);
        run(&["destroy", "-auto-approve", "-no-color"]);
        tenant.nothing_left();
    }
    for proxy in [of_settings, of_file] {
        assert!(proxy.passed() > 0, "the proxy was passed by");
    }
}

#[test]
fn settings_may_be_known_only_at_apply() {
    let tenant = Tenant::a();
    let (Some(account), Some(cluster)) = (tenant.account(), Cluster::of(&tenant)) else {
        return;
    };
    let late = format!(
        "resource \"terraform_data\" \"cluster\" {{\n  input = {{\n    host = {:?}\n    ca = {:?}\n  }}\n}}\n",
        cluster.host, cluster.ca
    );
    let settings = format!(
        "host = terraform_data.cluster.output.host\ncluster_ca_certificate = terraform_data.cluster.output.ca\ntoken = {:?}\n",
        account.token
    );
    let it = Workspace::new(&format!(
        "{}{late}{KEY}",
        provider(&tenant.namespace, &settings)
    ));
    it.plan().says(&["2 to add"]);
    it.apply().succeeded();
    it.plan_is_empty();
    // And the whole block.
    let whole = format!(
        "provider \"flower\" {{\n  kubernetes = terraform_data.whole.output\n}}\nresource \"terraform_data\" \"whole\" {{\n  input = {{ config_path = {:?}, config_context = {:?}, namespace = {:?} }}\n}}\n",
        kubeconfig().display().to_string(),
        tenant.context,
        tenant.namespace
    );
    it.destroy();
    it.configure(&format!("{whole}{KEY}"));
    it.plan().says(&["2 to add"]);
    it.apply().succeeded();
    it.plan_is_empty();
    it.destroy();
    tenant.nothing_left();
}

const SETTINGS: &str = "Check `kubernetes` in the provider configuration";

/// Applies with each of these settings: it must fail with these texts and print no secret.
#[track_caller]
fn each_is_said(it: &Workspace, tenant: &Tenant, secrets: &[&str], cases: &[(String, &[&str])]) {
    for (way, words) in cases {
        it.configure(&format!("{}{KEY}", provider(&tenant.namespace, way)));
        let said = it.apply();
        keeps_secret(it, &said, secrets);
        said.says(&["was not created"]);
        said.failed_with(words);
    }
    tenant.nothing_left();
}

#[test]
fn credentials_that_cannot_be_used_are_said_with_the_remedy() {
    let tenant = Tenant::a();
    let Some(cluster) = Cluster::of(&tenant) else {
        return;
    };
    let token = token(&tenant, "default");
    let it = Workspace::new("");
    let broken = format!("users:\n- name: u\n  user:\n    token: [{token}\n    {token}: {{}}\n");
    it.file("broken", &broken);
    let wrong = kubeconfig_of(&cluster, &json!({ "token": [token] }));
    it.file("wrong", &wrong);
    it.file(
        "fails.sh",
        "echo \"log in first\" >&2\necho $PASS\nexit 1\n",
    );
    it.file("babbles.sh", "echo \"{ $PASS\"\n");
    let host = cluster.host();
    let exec = |script: &str| {
        format!(
            "{host}exec = {{\ncommand = \"sh\"\nargs = [{script:?}]\nenv = {{ PASS = {token:?} }}\n}}"
        )
    };
    let path = kubeconfig().display().to_string();
    let not_one = "it is not a kubeconfig; see its line";
    let cases: [(String, &[&str]); 7] = [
        (
            "config_path = \"nowhere\"".into(),
            &["the file cannot be read: No such file", SETTINGS],
        ),
        (
            format!("config_path = {path:?}\nconfig_context = \"nobody\""),
            &["(context \"nobody\") cannot be used", SETTINGS],
        ),
        ("config_path = \"broken\"".into(), &[not_one, SETTINGS]),
        ("config_path = \"wrong\"".into(), &[not_one, SETTINGS]),
        (
            format!("{host}token_file = \"nowhere\""),
            &[
                "the file of the token cannot be read: No such file",
                SETTINGS,
            ],
        ),
        (
            exec("fails.sh"),
            &[
                "the exec plugin \"sh\" failed (exit status: 1)",
                "Run it in a terminal",
            ],
        ),
        (
            exec("babbles.sh"),
            &[
                "the output of the exec plugin \"sh\" is not an ExecCredential",
                "Run it in a terminal",
            ],
        ),
    ];
    each_is_said(&it, &tenant, &[&token], &cases);
}

#[test]
fn a_cluster_that_does_not_let_in_is_said_with_the_remedy() {
    let tenant = Tenant::a();
    let Some(cluster) = Cluster::of(&tenant) else {
        return;
    };
    let token = token(&tenant, "default");
    let it = Workspace::new("");
    let (host, at) = (cluster.host(), format!("host = {:?}", cluster.host));
    let with_token = format!("token = {token:?}");
    let mut file: Json =
        serde_json::from_str(&kubeconfig_of(&cluster, &json!({ "token": token }))).unwrap();
    let proxy = format!("ftp://flower:{}@127.0.0.1:1", proxy::PASSWORD);
    file["clusters"][0]["cluster"]["proxy-url"] = proxy.into();
    it.file("proxied", &file.to_string());
    let cases: [(String, &[&str]); 6] = [
        (
            "config_path = \"proxied\"".to_owned(),
            &["its proxy does not begin with \"http://\"", SETTINGS],
        ),
        (
            format!("host = \"https://127.0.0.1:1\"\n{with_token}"),
            &[
                "https://127.0.0.1:1/ cannot be reached",
                "Connection refused",
                "Check the address",
            ],
        ),
        (
            format!("{at}\n{with_token}"),
            &[
                "cannot be reached",
                "invalid peer certificate",
                "the CA certificate",
            ],
        ),
        (
            format!("{host}tls_server_name = \"elsewhere.example\"\n{with_token}"),
            &[
                "cannot be reached",
                "certificate not valid for name",
                "Check the address",
            ],
        ),
        (
            format!("{host}token = \"{token}x\""),
            &[
                "does not accept the credentials",
                "Unauthorized",
                "it may have expired",
            ],
        ),
        (
            format!("{host}{with_token}"),
            &[
                "does not allow it",
                "is forbidden: User \"system:serviceaccount:",
                "resource \"",
                "the Role from the provider's documentation",
            ],
        ),
    ];
    each_is_said(&it, &tenant, &[&token, proxy::PASSWORD], &cases);
    // A user without rights in a namespace does not learn whether it exists.
    let administrator = format!(
        "config_path = {:?}\nconfig_context = {:?}\n",
        kubeconfig().display().to_string(),
        tenant.context
    );
    let nowhere = provider("flower-test-none", &administrator);
    it.configure(&format!("{nowhere}{KEY}"));
    it.apply().failed_with(&[
        "There is no namespace \"flower-test-none\"",
        "Create the namespace first",
    ]);
}

#[test]
fn a_runtime_is_named_and_never_guessed() {
    let it = Workspace::new(&format!("provider \"flower\" {{}}\n{KEY}"));
    let path = kubeconfig().display().to_string();
    let mut command = it.command(&["apply", "-auto-approve", "-no-color"]);
    command.env("KUBECONFIG", &path);
    command.env("KUBERNETES_SERVICE_HOST", "127.0.0.1");
    command.env("KUBERNETES_SERVICE_PORT", "1");
    crate::workspace::said(&command.output().unwrap()).succeeded();
    let place = it.state(ADDRESS)["place"].to_string();
    assert!(place.starts_with("\"machine "), "{place}");
    it.destroy();
    for (settings, words) in [
        (String::new(), "one of"),
        ("namespace = \"default\"".to_owned(), "one of"),
        (
            format!("config_path = {path:?}\nhost = \"https://127.0.0.1:1\""),
            "one of",
        ),
        (
            format!("config_path = {path:?}\ntoken = \"x\""),
            "kubernetes.token cannot be set together",
        ),
    ] {
        it.configure(&format!(
            "provider \"flower\" {{\nkubernetes = {{\n{settings}\n}}\n}}\n{KEY}"
        ));
        it.plan().failed_with(&["config_path", words]);
    }
    it.configure(&format!(
        "provider \"flower\" {{\nlocal = {{}}\nkubernetes = {{\nconfig_path = {path:?}\n}}\n}}\n{KEY}"
    ));
    it.plan()
        .failed_with(&["local", "kubernetes", "one runtime"]);
}

#[test]
fn objects_that_live_elsewhere_are_an_error_and_never_planned_anew() {
    let tenant = Tenant::a();
    let with = |control: &str| {
        format!(
            r#"{KEY}
resource "flower_superlink" "main" {{
  name = "main"
}}
resource "flower_app_run" "r" {{
  control    = {control}
  source     = {{ path = "${{path.module}}/app" }}
  run_config = {{ fail-in = "never" }}
  wait       = {{ until = "submitted" }}
  on_missing = "recreate"
}}
"#
        )
    };
    let resources = with("flower_superlink.main.control");
    let it = Workspace::new(&format!("{}{resources}", tenant.provider()));
    it.app();
    it.apply().succeeded();
    assert!(!it.state("flower_app_run.r")["place"].is_null());
    let control = &it.state("flower_superlink.main")["control"];
    let by_hand = with(&format!(
        "{{ url = {}, ca_certificate = {}, flower_version = {} }}",
        control["url"], control["ca_certificate"], control["flower_version"]
    ));
    let before = tenant.inventory();
    let elsewhere: Vec<Tenant> = tenant.namesake().into_iter().chain([Tenant::a()]).collect();
    for other in &elsewhere {
        it.configure(&format!("{}{resources}", other.provider()));
        for command in ["plan", "apply", "destroy"] {
            let mut args = vec![command, "-no-color"];
            if command != "plan" {
                args.push("-auto-approve");
            }
            let said = it.run(&args);
            for word in [
                "to destroy",
                "destroyed",
                "to add",
                "replaced",
                "Destroying",
            ] {
                assert!(!said.text.contains(word), "{word}:\n{}", said.text);
            }
            said.failed_with(&[
                "is in another place",
                "Nothing was changed",
                "Point the provider configuration to the former place again",
                &tenant.namespace,
            ]);
        }
        // The run, too, is refused if it is the only target.
        it.configure(&format!("{}{by_hand}", other.provider()));
        let run = "-target=flower_app_run.r";
        it.run(&["plan", "-no-color", run])
            .failed_with(&["The run", "is in another place"]);
        it.run(&[
            "destroy",
            "-no-color",
            "-auto-approve",
            "-refresh=false",
            run,
        ])
        .failed_with(&["The run", "is in another place"]);
        // Also without a refresh.
        it.run(&["destroy", "-no-color", "-auto-approve", "-refresh=false"])
            .failed_with(&["is in another place"]);
        other.nothing_left();
        assert_eq!(tenant.inventory(), before);
    }
    it.configure(&format!("{}{resources}", tenant.provider()));
    it.plan_is_empty();
    it.destroy();
    tenant.nothing_left();
}
