//! `flower_supernode_key`: a key pair whose private half stays in the vault.

mod model;

use std::sync::Arc;

use serde_json::Value as Json;

use crate::at;
use crate::masking;
use crate::pki::{NodeKey, NodeKeyAlgorithm, NodePublicKey};
use crate::resources::Configured;
use crate::resources::connection_attributes::{SecretInput, SecretOutput};
use crate::resources::lifecycle::{self, Remains};
use crate::resources::place;
use crate::resources::recorded_configuration;
use crate::resources::report;
use crate::runtime::{Kind, Managed, ObjectName, ObjectRef, Runtime, SecretEntries};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, Tree, WriteOnly};
use crate::tfplugin::{Call, Import, Plan, Resource, Slot};
pub use model::Model;
use zeroize::Zeroizing;

pub struct SupernodeKey;

impl Resource for SupernodeKey {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_supernode_key";
    const IDENTITY_VERSION: i64 = 1;

    fn validate(config: &Tree<Model>) -> Diagnostics {
        let mut found = Diagnostics::default();
        let algorithm = config.get::<Option<NodeKeyAlgorithm>>(at!(Model, algorithm));
        let algorithm = match algorithm {
            Ok(Maybe::Known(algorithm)) => Some(algorithm.unwrap_or(model::ALGORITHM)),
            _ => None,
        };
        if let Ok(Maybe::Known(WriteOnly(Some(text)))) =
            config.get::<WriteOnly<String>>(at!(Model, private_key_wo))
        {
            found.absorb(own_key(&text, algorithm).map(drop));
        }
        found
    }

    async fn plan(_: Option<Arc<Configured>>, plan: &mut Plan<Model>) -> Result<()> {
        if plan.changes(at!(Model, private_key_wo_version))
            && plan.planned.is_set(at!(Model, private_key_wo_version))
            && !plan.config.is_set(at!(Model, private_key_wo))
        {
            return Err(
                Diagnostic::error("private_key_wo_version needs private_key_wo")
                    .detail("It announces a new `private_key_wo`, but `private_key_wo` is not set.")
                    .detail("Set `private_key_wo`, or keep the old `private_key_wo_version`.")
                    .at(at!(Model, private_key_wo_version))
                    .into(),
            );
        }
        let causes = [
            at!(Model, algorithm),
            at!(Model, rotation),
            at!(Model, private_key_wo_version),
        ];
        let lost = !plan.is_create() && plan.prior.value(at!(Model, secret)).is_null();
        if lost || causes.iter().any(|cause| plan.changes(*cause)) {
            for output in [
                at!(Model, public_key),
                at!(Model, public_key_pem),
                at!(Model, fingerprint),
                at!(Model, secret),
            ] {
                plan.set_unknown(output);
            }
        }
        Ok(())
    }

    async fn create(
        call: Call<Configured>,
        mut planned: Model,
        config: Tree<Model>,
        slot: Slot<Model>,
    ) -> Result<()> {
        let runtime = &call.provider.runtime;
        let key = new_key(&planned, &config)?;
        let object = object(&planned.name);
        let (claimed, place) = lifecycle::begin(&call, &object, Self::TYPE).await?;
        planned.place.set(place);
        let kept = keep(runtime.as_ref(), &claimed, &mut planned, &key).await;
        let made = kept.is_ok().then_some(&planned);
        let secrets = [secret_name(&planned.name)];
        lifecycle::end(&call, claimed, made, &slot, remains(&secrets), kept).await
    }

    async fn read(call: Call<Configured>, mut state: Model) -> Result<Option<Model>> {
        let object = object(&state.name);
        let name = secret_name(&state.name);
        let runtime = call.provider.runtime.as_ref();
        if !place::is_within_reach(&call, &object, &mut state.place).await? {
            return Ok(Some(state));
        }
        let explain = |error| report::error(format!("{object} could not be read"), &error);
        let found = runtime.secret(&object, &name).await.map_err(explain)?;
        let wanted = state.secret.get().map(|secret| secret.key.as_str());
        let Some((entry, text)) = found.and_then(|entries| private(entries, wanted)) else {
            let record = runtime.observe(&object, &[]).await.map_err(explain)?;
            return Ok(record.map(|_| without_secret(&call, &object, state)));
        };
        masking::hide(&text);
        let key = NodeKey::parse(&text)
            .map_err(|error| report::error(format!("The key in {name:?} is damaged"), &error))?;
        describe(&mut state, &key, entry)?;
        Ok(Some(state))
    }

    async fn update(
        call: Call<Configured>,
        _: Model,
        mut planned: Model,
        config: Tree<Model>,
        slot: Slot<Model>,
    ) -> Result<()> {
        let runtime = call.provider.runtime.as_ref();
        let managed = Managed::in_state(object(&planned.name));
        place::check(runtime, managed.object(), &mut planned.place).await?;
        if planned.secret.get().is_none() {
            let key = new_key(&planned, &config)?;
            keep(runtime, &managed, &mut planned, &key).await?;
        }
        slot.put(&planned);
        let recorded = recorded_configuration::record(runtime, &managed, &planned).await;
        recorded
            .map_err(|error| report::error("The key changed, but not its record", &error).into())
    }

    async fn delete(call: Call<Configured>, mut state: Model) -> Result<()> {
        let object = object(&state.name);
        place::check(call.provider.runtime.as_ref(), &object, &mut state.place).await?;
        let secrets = [secret_name(&state.name)];
        let gone = lifecycle::remove(&call, &object, None, remains(&secrets)).await;
        gone.map_err(|error| report::error("The key was not removed", &error).into())
    }

    async fn import(call: Call<Configured>, what: Import<Model>) -> Result<Model> {
        recorded_configuration::restore(call.provider.runtime.as_ref(), &what).await
    }

    fn upgrade_identity(version: i64, identity: Json) -> Result<Json> {
        Ok(recorded_configuration::upgrade_identity(version, identity))
    }
}

fn object(name: &ObjectName) -> ObjectRef {
    ObjectRef {
        kind: Kind::SupernodeKey,
        name: name.clone(),
    }
}

/// The prefix of the entries of private keys.
const PRIVATE: &str = "private-key-";
/// The prefix of the secrets of keys; the name of the key follows.
const SECRET: &str = "supernode-key-";

/// Whether a secret contains a SuperNode key. A SuperNode gets only such secrets: the vault also
/// has the keys of authorities and servers.
pub(crate) fn is_key_secret(name: &str) -> bool {
    let name = name.strip_prefix(SECRET);
    name.is_some_and(|name| name.parse::<ObjectName>().is_ok())
}

/// Whether an entry of such a secret is a private key.
pub(crate) fn is_private_entry(entry: &str) -> bool {
    entry.starts_with(PRIVATE)
}

/// The public half as Flower lists it; `None` if this provider cannot read it.
pub(crate) async fn public_pem(runtime: &dyn Runtime, secret: &SecretInput) -> Option<String> {
    let name = secret.name.strip_prefix(SECRET)?.parse().ok()?;
    let entries = runtime.secret(&object(&name), &secret.name).await.ok()??;
    let public = entries.get(&public_entry(&secret.key))?;
    NodePublicKey::parse(public).ok()?.pem().ok()
}

/// The entry of the public half that belongs to the entry of a private key.
pub(crate) fn public_entry(entry: &str) -> String {
    entry.replacen(PRIVATE, "public-key-", 1)
}

const fn remains(secrets: &[String]) -> Remains<'_> {
    Remains {
        secrets,
        keep_logs: None,
    }
}

/// The entry of a private key: the one that the state names, otherwise the only one.
fn private(entries: SecretEntries, wanted: Option<&str>) -> Option<(String, Zeroizing<String>)> {
    entries.into_iter().find(|(entry, _)| match wanted {
        Some(wanted) => entry == wanted,
        None => entry.starts_with(PRIVATE),
    })
}

/// The state of a key whose private half is gone. An apply creates a new key for it, and a destroy
/// removes its record; without a state, the record would remain.
fn without_secret(call: &Call<Configured>, object: &ObjectRef, mut state: Model) -> Model {
    call.warn(
        Diagnostic::warning(format!("The private key of {object} is gone"))
            .detail("Someone deleted it, or an apply or destroy was interrupted.")
            .detail("Apply creates a new key and updates its SuperLink and SuperNode."),
    );
    state.secret = None.into();
    state
}

fn secret_name(name: &ObjectName) -> String {
    format!("{SECRET}{name}")
}

/// The key from the configuration, or a new one.
fn new_key(planned: &Model, config: &Tree<Model>) -> Result<NodeKey> {
    let own = config
        .get::<WriteOnly<String>>(at!(Model, private_key_wo))?
        .known();
    match own.and_then(|own| own.0) {
        Some(text) => own_key(&text, Some(planned.algorithm)),
        None => NodeKey::generate(planned.algorithm)
            .map_err(|error| report::error("The key could not be created", &error).into()),
    }
}

/// The key from the configuration, if it uses the configured algorithm.
fn own_key(text: &str, algorithm: Option<NodeKeyAlgorithm>) -> Result<NodeKey> {
    masking::hide(text);
    let key = NodeKey::parse(text).map_err(|error| {
        report::error("The private key cannot be used", &error).at(at!(Model, private_key_wo))
    })?;
    match algorithm {
        Some(asked) if key.algorithm() != asked => {
            Err(Diagnostic::error("The private key is of another algorithm")
                .detail(format!(
                    "It is {}, but the attribute `algorithm` is {asked}.",
                    key.algorithm(),
                ))
                .detail(format!("Set `algorithm = \"{}\"`.", key.algorithm()))
                .at(at!(Model, algorithm))
                .into())
        }
        _ => Ok(key),
    }
}

/// Stores the key in the vault, and its public values in the model.
async fn keep(
    runtime: &dyn Runtime,
    managed: &Managed,
    model: &mut Model,
    key: &NodeKey,
) -> Result<()> {
    let explain = |error| Diagnostics::from(report::error("The key cannot be written", &error));
    let fingerprint = key.fingerprint().map_err(explain)?;
    let text = key.private_openssh().map_err(explain)?;
    masking::hide(&text);
    // A rotated key gets another entry, so its users see a change.
    let short: String = fingerprint
        .trim_start_matches("SHA256:")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(10)
        .collect();
    let entry = format!("{PRIVATE}{short}");
    let public = key.public_openssh().map_err(explain)?;
    // SuperNodes before 1.23 need both halves.
    let entries: SecretEntries = [
        (entry.clone(), text),
        (public_entry(&entry), Zeroizing::new(public)),
    ]
    .into();
    runtime
        .put_secret(managed, &secret_name(&model.name), &entries)
        .await
        .map_err(|error| report::error("The key was not stored", &error))?;
    describe(model, key, entry)
}

fn describe(model: &mut Model, key: &NodeKey, entry: String) -> Result<()> {
    let explain = |error| Diagnostics::from(report::error("The key cannot be written", &error));
    model.id.set(model.name.to_string());
    model.public_key.set(key.public_openssh().map_err(explain)?);
    model.public_key_pem.set(key.public_pem().map_err(explain)?);
    model.fingerprint.set(key.fingerprint().map_err(explain)?);
    model.secret.set(SecretOutput {
        name: secret_name(&model.name),
        key: entry,
    });
    Ok(())
}
