//! A resource for the acceptance tests of the plugin layer: all kinds of attributes, all kinds of
//! failures.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::{Value as Json, json};
use terraform_provider_flower::tfplugin::Import;
use terraform_provider_flower::tfplugin::diagnostic::{Diagnostic, Result};
use terraform_provider_flower::tfplugin::schema::{
    Computed, Dynamic, Schema, Tree, WriteOnly, computed, defaulted, optional, required,
};
use terraform_provider_flower::tfplugin::value::{Type, Value};
use terraform_provider_flower::tfplugin::{
    Call, Ephemeral, Function, FunctionError, Opened, Parameter, Plan, Resource, Signature, Slot,
};
use terraform_provider_flower::{at, model};

model! {
    /// A resource with every kind of attribute.
    pub struct ProbeModel {
        /// Its name.
        name: String = required().replace("the name identifies it"),
        /// The same as its name.
        id: Computed<String> = computed().identity(),
        /// Anything.
        anything: Option<Dynamic> = optional(),
        /// Numbers, exactly.
        numbers: Option<Vec<Dynamic1>> = optional(),
        /// Five unless said.
        size: i64 = defaulted(5_i64),
        /// Not shown.
        hidden: Option<String> = optional().sensitive(),
        /// Not stored.
        secret_wo: WriteOnly<String> = optional(),
        /// Raised with each new secret.
        secret_wo_version: Option<i64> = optional(),
        /// How many bytes the secret had.
        secret_length: Computed<i64> = computed(),
        /// What was kept beside the attributes when it was last changed: a word for each call.
        trail: Computed<String> = computed(),
        /// `panic`, `fail`, `wait`, `linger`: what to do after the object exists.
        then: Option<String> = optional(),
    }
}

model! {
    /// A number in an object.
    pub struct Dynamic1 {
        /// The number.
        value: Option<Dynamic> = optional(),
    }
}

pub struct Probe;

impl Resource for Probe {
    type Model = ProbeModel;
    type Provider = ();

    const TYPE: &'static str = "echo_probe";

    fn schema() -> Schema {
        Schema {
            version: 1,
            ..Schema::of::<ProbeModel>()
        }
    }

    async fn plan(_: Option<Arc<()>>, plan: &mut Plan<ProbeModel>) -> Result<()> {
        if plan.has_changes() {
            plan.private = trail(&plan.private, "planned").into();
        }
        Ok(())
    }

    async fn create(
        call: Call<()>,
        mut planned: ProbeModel,
        config: Tree<ProbeModel>,
        slot: Slot<ProbeModel>,
    ) -> Result<()> {
        planned.id.set(planned.name.clone());
        planned.trail.set(keep(&call, "created"));
        write_secret(&mut planned, &config)?;
        slot.put(&planned);
        match planned.then.as_deref() {
            Some("fail") => Err(Diagnostic::error("It failed as asked")
                .at(at!(ProbeModel, then))
                .into()),
            Some("wait") => {
                tokio::select! {
                    () = call.stop.cancelled() => {
                        // A cleanup that takes some time.
                        tokio::time::sleep(Duration::from_millis(500)).await;
                        let _ = std::fs::write("tidied", &planned.name);
                    }
                    () = tokio::time::sleep(Duration::from_mins(1)) => {}
                }
                Err(Diagnostic::error("Interrupted")
                    .at(at!(ProbeModel, then))
                    .into())
            }
            // Longer than a ticket is valid.
            Some("linger") => {
                tokio::time::sleep(Duration::from_secs(4)).await;
                Ok(())
            }
            #[allow(clippy::panic)]
            Some("panic") => panic!("as asked"),
            _ => Ok(()),
        }
    }

    async fn read(call: Call<()>, state: ProbeModel) -> Result<Option<ProbeModel>> {
        keep(&call, "read");
        Ok(Some(state))
    }

    async fn update(
        call: Call<()>,
        _: ProbeModel,
        mut planned: ProbeModel,
        config: Tree<ProbeModel>,
        slot: Slot<ProbeModel>,
    ) -> Result<()> {
        planned.trail.set(keep(&call, "updated"));
        write_secret(&mut planned, &config)?;
        slot.put(&planned);
        Ok(())
    }

    async fn delete(_: Call<()>, _: ProbeModel) -> Result<()> {
        Ok(())
    }

    async fn import(_: Call<()>, what: Import<ProbeModel>) -> Result<ProbeModel> {
        let id = what.id()?;
        Ok(ProbeModel {
            name: id.clone(),
            id: Computed::Known(id),
            anything: None,
            numbers: None,
            size: 5,
            hidden: None,
            secret_wo: WriteOnly(None),
            secret_wo_version: None,
            secret_length: Computed::Known(0),
            trail: Computed::Known(String::new()),
            then: None,
        })
    }

    /// Version 0 called `size` `length` and had an attribute that is gone.
    fn upgrade(_: i64, mut state: Json) -> Result<Json> {
        if let Some(object) = state.as_object_mut()
            && let Some(length) = object.remove("length")
        {
            object.insert("size".to_owned(), length);
        }
        Ok(state)
    }

    fn move_state(source_type: &str, state: &Json) -> Option<Result<Json>> {
        (source_type == "terraform_data").then(|| {
            let id = state.get("id").cloned().unwrap_or_default();
            Ok(json!({ "name": id, "id": id, "size": 5, "secret_length": 0, "trail": "" }))
        })
    }
}

/// Adds a word to what is kept.
fn keep(call: &Call<()>, word: &str) -> String {
    let longer = trail(&call.private(), word);
    call.keep_private(longer.clone());
    longer
}

fn trail(kept: &Bytes, word: &str) -> String {
    let kept = String::from_utf8_lossy(kept);
    format!("{kept} {word}").trim_start().to_owned()
}

fn write_secret(planned: &mut ProbeModel, config: &Tree<ProbeModel>) -> Result<()> {
    let secret = config
        .get::<WriteOnly<String>>(at!(ProbeModel, secret_wo))?
        .known();
    let length = secret
        .and_then(|secret| secret.0)
        .map_or(0, |text| text.len());
    planned
        .secret_length
        .set(i64::try_from(length).unwrap_or(0));
    Ok(())
}

model! {
    /// A ticket that must be renewed.
    pub struct TicketModel {
        /// For whom.
        holder: String = required(),
        /// The ticket.
        ticket: Computed<String> = computed().sensitive(),
    }
}

pub struct Ticket;

impl Ephemeral for Ticket {
    type Model = TicketModel;
    type Provider = ();

    const TYPE: &'static str = "echo_ticket";

    async fn open(_: Call<()>, mut config: TicketModel) -> Result<Opened<TicketModel>> {
        config.ticket.set(format!("ticket-for-{}", config.holder));
        Ok(Opened {
            private: Bytes::from(config.holder.clone()),
            result: config,
            renew_at: Some(SystemTime::now() + Duration::from_secs(2)),
        })
    }

    async fn renew(_: Call<()>, holder: Bytes) -> Result<Option<SystemTime>> {
        sign("renewed", &holder);
        Ok(Some(SystemTime::now() + Duration::from_secs(2)))
    }

    async fn close(_: Call<()>, holder: Bytes) -> Result<()> {
        sign("closed", &holder);
        Ok(())
    }
}

/// Where a test sees what became of a ticket.
fn sign(what: &str, holder: &[u8]) {
    let holder = String::from_utf8_lossy(holder);
    let _ = std::fs::write(format!("{what}-{holder}"), "");
}

pub struct Repeat;

impl Function for Repeat {
    fn name(&self) -> &'static str {
        "repeat"
    }

    fn signature(&self) -> Signature {
        Signature {
            summary: "Repeats a text",
            description: "Repeats a text as often as asked, nine times at most.",
            parameters: vec![
                Parameter {
                    name: "text",
                    description: "What to repeat.",
                    ty: Type::String,
                },
                Parameter {
                    name: "times",
                    description: "How often.",
                    ty: Type::Number,
                },
            ],
            returns: Type::String,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> std::result::Result<Value, FunctionError> {
        let [Value::String(text), Value::Number(times)] = arguments.as_slice() else {
            return Err(FunctionError {
                argument: None,
                text: "expected a text and a number".to_owned(),
            });
        };
        match times.as_i64().and_then(|times| usize::try_from(times).ok()) {
            Some(times @ 0..=9) => Ok(Value::from(text.repeat(times))),
            _ => Err(FunctionError {
                argument: Some(1),
                text: "expected a whole number from 0 to 9".to_owned(),
            }),
        }
    }
}
