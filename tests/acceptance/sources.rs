//! The same app from every source: the same bundle, so not another run.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use terraform_provider_flower::flower::app_source::AppTree;

use crate::workspace::{Workspace, said};

fn config(source: &str) -> String {
    format!(
        "provider \"flower\" {{}}\n\
         resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n}}\n\
         resource \"flower_app_run\" \"r\" {{\n  control = flower_superlink.main.control\n  \
         source = {source}\n  run_config = {{ fail-in = \"nothing\" }}\n}}\n\
         data \"flower_app\" \"one\" {{\n  source = {source}\n}}\n\
         output \"files\" {{\n  value = data.flower_app.one.files\n}}\n"
    )
}

#[test]
fn the_same_files_are_the_same_run_from_every_source() {
    let path = "{ path = \"${path.module}/app\" }";
    let it = Workspace::new(&config(path));
    it.app_that_leaves();
    it.apply().succeeded();
    it.plan_is_empty();
    let run = it.state("flower_app_run.r");
    // With a folder around everything, as a repository's page offers it.
    let packed = Command::new("tar")
        .args(["--transform=s,^,repo-1.0/,", "-czf", "app.tar.gz", "app"])
        .current_dir(it.path("."))
        .status();
    assert!(packed.unwrap().success());
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(arguments)
            .current_dir(it.path("."))
            .stdout(Stdio::null())
            .status();
        assert!(done.unwrap().success());
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "app"]);
    git(&["commit", "-q", "-m", "one"]);
    let names = "toset([for name in fileset(\"${path.module}/app\", \"**\") : name])";
    for source in [
        "{ git = { url = \"file://${abspath(path.root)}\", subdirectory = \"app\" } }".to_owned(),
        "{ archive = { path = \"app.tar.gz\", subdirectory = \"app\" } }".to_owned(),
        "{ archive = { path = \"app.tar.gz\", subdirectory = \"app\", sha256 = filesha256(\"app.tar.gz\") } }".to_owned(),
        format!("{{ inline = {{ files = {{ for name in {names} : name => file(\"${{path.module}}/app/${{name}}\") }} }} }}"),
        path.to_owned(),
    ] {
        it.configure(&config(&source));
        it.apply().succeeded();
        it.plan_is_empty();
        let now = it.state("flower_app_run.r");
        assert_eq!(now["fab_hash"], run["fab_hash"], "{source}");
        assert_eq!(now["run_id"], run["run_id"], "{source}");
        assert!(it.output("files").to_string().contains("quickstart/server_app.py"));
    }
    // A branch that has moved is told, and the run stays.
    let repository = "{ git = { url = \"file://${abspath(path.root)}\", subdirectory = \"app\" } }";
    it.configure(&config(repository));
    it.apply().succeeded();
    let commit = it.state("flower_app_run.r")["resolved_commit"].clone();
    assert_eq!(commit.as_str().unwrap().len(), 40);
    it.file("app/quickstart/more.py", "more = 1\n");
    git(&["add", "app"]);
    git(&["commit", "-q", "-m", "two"]);
    it.plan()
        .says(&["The app of a run has a newer commit", "follow = true"]);
    it.apply().succeeded();
    assert_eq!(it.state("flower_app_run.r")["run_id"], run["run_id"]);
    it.configure(&config(
        &repository.replace("{ url", "{ follow = true, url"),
    ));
    it.apply().succeeded();
    it.plan_is_empty();
    let now = it.state("flower_app_run.r");
    assert_ne!(now["run_id"], run["run_id"]);
    assert_ne!(now["resolved_commit"], commit);
    fs::remove_file(it.path("app/quickstart/more.py")).unwrap();

    // Another archive is refused before anything is submitted.
    let other = format!(
        "{{ archive = {{ path = \"app.tar.gz\", subdirectory = \"app\", sha256 = \"{}\" }} }}",
        "0".repeat(64)
    );
    it.configure(&config(&other));
    it.plan()
        .failed_with(&["\"app.tar.gz\" has the SHA-256", "restore the file"]);
    // An app that is gone does not prevent a destroy.
    it.configure(&config(
        "{ archive = { path = \"app.tar.gz\", subdirectory = \"app\" } }",
    ));
    it.apply().succeeded();
    fs::remove_file(it.path("app.tar.gz")).unwrap();
    it.configure(
        config("{ archive = { path = \"app.tar.gz\", subdirectory = \"app\" } }")
            .split("data ")
            .next()
            .unwrap(),
    );
    it.plan().says(&["The run stays as it is in the state"]);
    it.destroy();
}

#[test]
fn an_app_in_the_configuration_trains() {
    let it = Workspace::new("");
    it.file(
        "main.tf",
        include_str!("../../examples/sources/inline/main.tf"),
    );
    it.apply().succeeded();
    it.plan_is_empty();
    assert_eq!(it.output("loss"), 0.5);
    let state = it.state("flower_app_run.training");
    assert_eq!(state["rounds"][0]["train"]["results"], 2, "{state}");
    // Another line of code is another run.
    let main = include_str!("../../examples/sources/inline/main.tf");
    it.file("main.tf", &main.replace("\"loss\": 0.5", "\"loss\": 0.25"));
    it.apply().succeeded();
    assert_eq!(it.output("loss"), 0.25);
    it.destroy();
}

/// An HTTPS server for the files of a folder, and the certificate to trust.
struct FileServer {
    server: Child,
    port: String,
    ca: String,
}

const SERVE: &str = r#"
import functools, http.server, ssl, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/private/") and self.headers["Authorization"] != "Bearer hunter2-canary":
            return self.send_error(401)
        if self.path == "/moved.tar.gz":
            self.send_response(302)
            self.send_header("Location", "/app.tar.gz?sig=hunter2-canary")
            return self.end_headers()
        super().do_GET()
handler = functools.partial(Handler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

impl FileServer {
    fn start(folder: &Path, keys: &Path) -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap().pem();
        fs::write(keys, format!("{}{leaf}", key.serialize_pem())).unwrap();
        let mut server = Command::new("python3")
            .args(["-c", SERVE])
            .args([folder, keys])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let mut said = BufReader::new(server.stdout.take().unwrap());
        said.read_line(&mut port).unwrap();
        Self {
            server,
            port: port.trim().to_owned(),
            ca: ca_pem,
        }
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn an_archive_of_a_server_is_verified_and_its_token_stays_secret() {
    let it = Workspace::new("");
    it.app_that_leaves();
    let files = it.path("served");
    fs::create_dir_all(files.join("private")).unwrap();
    let packed = Command::new("tar")
        .args(["-czf", "served/app.tar.gz", "-C", "app", "."])
        .current_dir(it.path("."))
        .status();
    assert!(packed.unwrap().success());
    fs::copy(files.join("app.tar.gz"), files.join("private/app.tar.gz")).unwrap();
    let server = FileServer::start(&files, &it.path("server.pem"));
    it.file("ca.pem", &server.ca);
    it.file("token", "hunter2-canary\n");
    let source = |name: &str, more: &str| {
        format!(
            "{{ archive = {{ url = \"https://127.0.0.1:{}/{name}\", ca_certificate = file(\"ca.pem\"){more} }} }}",
            server.port
        )
    };
    let token = ", token_file = \"token\"";
    it.configure(&config(&source("moved.tar.gz", "")));
    it.apply().succeeded();
    it.plan_is_empty();
    let run = it.state("flower_app_run.r");
    for source in [
        source("private/app.tar.gz", token),
        source("app.tar.gz", ", sha256 = filesha256(\"served/app.tar.gz\")"),
    ] {
        it.configure(&config(&source));
        it.apply().succeeded();
        it.plan_is_empty();
        assert_eq!(it.state("flower_app_run.r")["run_id"], run["run_id"]);
    }
    // What is wrong is an error of the plan.
    for (source, words) in [
        (source("private/app.tar.gz", ""), "status 401"),
        (source("none.tar.gz", ""), "status 404"),
        (
            source("app.tar.gz", &format!(", sha256 = \"{}\"", "0".repeat(64))),
            "restore the file",
        ),
        (
            source("app.tar.gz", "").replace(", ca_certificate = file(\"ca.pem\")", ""),
            "not signed by a trusted CA certificate",
        ),
    ] {
        it.configure(&config(&source).replace(
            "resource \"flower_app_run\" \"r\"",
            "resource \"flower_app_run\" \"other\"",
        ));
        it.plan().failed_with(&[words]);
    }
    // The machine's own authorities are trusted, too.
    let plain = source("app.tar.gz", "").replace(", ca_certificate = file(\"ca.pem\")", "");
    it.configure(&config(&plain));
    let mut apply = it.command(&["apply", "-auto-approve", "-no-color"]);
    said(
        &apply
            .env("SSL_CERT_FILE", it.path("ca.pem"))
            .output()
            .unwrap(),
    )
    .succeeded();

    // So is a SuperLink behind a certificate that this machine trusts.
    let public = format!(
        "{}data \"flower_runs\" \"all\" {{\n  control = {{ url = flower_superlink.main.control.url }}\n}}\n\
         output \"ca\" {{\n  value = flower_superlink.main.control.ca_certificate\n}}\n",
        config("{ path = \"${path.module}/app\" }")
    );
    let without = public.replace("data \"flower_runs\"", "# data \"flower_runs\"");
    let without = without.replace("# data \"flower_runs\" \"all\" {\n  control = { url = flower_superlink.main.control.url }\n}\n", "");
    it.configure(&without);
    it.apply().succeeded();
    it.file("superlink.pem", it.output("ca").as_str().unwrap());
    it.configure(&public);
    it.plan()
        .failed_with(&["not signed by a trusted CA certificate"]);
    let mut planning = it.command(&["plan", "-no-color"]);
    said(
        &planning
            .env("SSL_CERT_FILE", it.path("superlink.pem"))
            .output()
            .unwrap(),
    )
    .succeeded();
    it.configure(&without);
    it.destroy();
    let written = it.written();
    assert!(!written.contains("hunter2-canary"), "the token is written");
}

/// The examples of git, an archive and a bundle, each applied with the same app.
#[test]
fn the_examples_of_sources_work() {
    let it = Workspace::new("");
    it.app_that_leaves();
    // An app that leaves nothing by default.
    let server = it.path("app/quickstart/server_app.py");
    let code = fs::read_to_string(&server).unwrap();
    fs::write(
        &server,
        code.replace("context.run_config[\"fail-in\"]", "\"nothing\""),
    )
    .unwrap();
    let run = |program: &str, arguments: &[&str], folder: &Path| {
        let done = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .stdout(Stdio::null())
            .status();
        assert!(done.unwrap().success(), "{program} {arguments:?}");
    };
    let here = it.path(".");
    run("git", &["init", "-q", "-b", "main"], &here);
    run("git", &["add", "app"], &here);
    let author = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
    run(
        "git",
        &[&author[..], &["commit", "-q", "-m", "one"]].concat(),
        &here,
    );
    run("tar", &["-czf", "app.tar.gz", "app"], &here);
    // What Flower itself builds is what the provider builds.
    let fab = AppTree::from_dir(&it.path("app"), &[]).unwrap();
    let fab = terraform_provider_flower::flower::fab::build(&fab).unwrap();
    fs::write(it.path("app.fab"), &fab.bytes).unwrap();
    let url = format!("url=file://{}", here.canonicalize().unwrap().display());
    for (example, variable) in [
        (
            include_str!("../../examples/sources/git/main.tf"),
            url.as_str(),
        ),
        (
            include_str!("../../examples/sources/archive/main.tf"),
            "archive=app.tar.gz",
        ),
        (
            include_str!("../../examples/sources/fab/main.tf"),
            "bundle=app.fab",
        ),
    ] {
        it.file("main.tf", example);
        let with = |command: &str, more: &[&str]| {
            let variable = format!("-var={variable}");
            it.run(&[&[command, "-no-color", variable.as_str()], more].concat())
        };
        with("apply", &["-auto-approve"]).succeeded();
        with("plan", &["-detailed-exitcode"]).says(&["No changes"]);
        assert_eq!(
            it.state("flower_app_run.training")["fab_hash"],
            fab.hash.as_str()
        );
        assert!(it.output("app").as_str().unwrap().contains("/quickstart "));
        with("destroy", &["-auto-approve"]).succeeded();
    }
}
