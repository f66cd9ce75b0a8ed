//! Simulates Terraform: it keeps states, plans, applies, taints unfinished resources, and compares
//! what a provider returns with its plan. Each provider process is one [`Gate`].

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::flower::Flower;
use crate::resources::Configured;
use crate::resources::planning::{checked_in, resource_of};
use crate::runtime::memory::{Break, Gate, MemoryRuntime, World};
use crate::tfplugin::diagnostic::Diagnostics;
use crate::tfplugin::schema::{Kind, Nesting, Tree};
use crate::tfplugin::value::Value;
use crate::tfplugin::{Call, Import, Resource};

/// A resource in a state.
#[derive(Clone)]
struct Kept {
    value: Value,
    is_tainted: bool,
}

/// How an apply failed.
#[derive(Debug)]
pub(super) enum Ended {
    /// With these errors.
    Badly(String),
    /// The provider was killed.
    Killed,
}

/// The result of a provider's work; a killed provider returns nothing.
async fn unless_killed(
    gate: Arc<Gate>,
    work: impl Future<Output = Result<(), String>>,
) -> Result<(), Ended> {
    let mut work = Box::pin(work);
    tokio::select! {
        done = &mut work => done.map_err(Ended::Badly),
        () = gate.killed() => {
            // A killed process drops nothing.
            std::mem::forget(work);
            Err(Ended::Killed)
        }
    }
}

pub(super) struct Host {
    pub(super) world: World,
    pub(super) flower: Flower,
    pub(super) gate: Arc<Gate>,
    provider: Arc<Configured>,
    states: BTreeMap<&'static str, Kept>,
}

impl Host {
    pub(super) fn new() -> Self {
        let flower = Flower::default();
        let world = World::new(Arc::new(flower.clone()));
        Self::of(flower, world, BTreeMap::new())
    }

    /// Another host in the same state: what is made once can be broken off in many ways.
    pub(super) fn copy(&self) -> Self {
        let flower = self.flower.copy();
        let world = self.world.copy(Arc::new(flower.clone()));
        Self::of(flower, world, self.states.clone())
    }

    fn of(flower: Flower, world: World, states: BTreeMap<&'static str, Kept>) -> Self {
        let gate = Arc::new(Gate::new(Break::Never));
        let provider = provider(&world, &flower, &gate);
        Self {
            world,
            flower,
            gate,
            provider,
            states,
        }
    }

    /// Starts a provider process, as each apply does; the previous process is dead.
    pub(super) fn restart(&mut self, at: Break) {
        self.gate = Arc::new(Gate::new(at));
        self.provider = provider(&self.world, &self.flower, &self.gate);
    }

    fn call(&self, private: Bytes) -> Call<Configured> {
        let call = Call::new(Arc::clone(&self.provider), self.gate.stop.clone());
        call.keep_private(private);
        call
    }

    pub(super) fn state<R: Resource>(&self) -> Value {
        self.states
            .get(R::TYPE)
            .map_or(Value::Null, |kept| kept.value.clone())
    }

    fn is_tainted<R: Resource>(&self) -> bool {
        self.states.get(R::TYPE).is_some_and(|kept| kept.is_tainted)
    }

    /// The changes that a plan finds after a refresh; `None` if there are none.
    pub(super) async fn differences<R: Resource<Provider = Configured>>(
        &mut self,
        config: &Value,
    ) -> Option<String> {
        if let Err(found) = self.refresh::<R>().await {
            return Some(format!("not refreshed: {found}"));
        }
        if self.is_tainted::<R>() {
            return Some("it is tainted".to_owned());
        }
        let prior = self.state::<R>();
        if prior.is_null() {
            return Some("it is gone".to_owned());
        }
        let planned = match self.plan::<R>(&prior, config).await {
            Ok(planned) => planned,
            Err(found) => return Some(format!("not planned: {found}")),
        };
        let (Value::Map(before), Value::Map(after)) = (&prior, &planned.0) else {
            return Some("no object is planned".to_owned());
        };
        let changed = before
            .iter()
            .filter(|(name, value)| after.get(*name) != Some(*value));
        let changed: Vec<_> = changed
            .map(|(name, before)| format!("{name}: {before:?} to {:?}", after[name]))
            .collect();
        (!changed.is_empty()).then(|| changed.join("\n"))
    }

    async fn plan<R: Resource<Provider = Configured>>(
        &self,
        prior: &Value,
        config: &Value,
    ) -> Result<(Value, bool, Bytes), String> {
        let provider = Some(Arc::clone(&self.provider));
        let config = Tree::new(config.clone());
        let (found, planned) = checked_in::<R>(provider, prior, &config).await;
        let planned = planned.ok_or_else(|| words(&found))?;
        Ok((planned.state, !planned.replace.is_empty(), planned.private))
    }

    /// Whether a plan accepts this configuration.
    pub(super) async fn is_planned<R: Resource<Provider = Configured>>(
        &self,
        config: &Value,
    ) -> bool {
        let prior = self.state::<R>();
        self.plan::<R>(&prior, config).await.is_ok()
    }

    /// Reads the resource again, as a refresh does.
    async fn refresh<R: Resource<Provider = Configured>>(&mut self) -> Result<(), String> {
        let Some(kept) = self.states.get(R::TYPE).cloned() else {
            return Ok(());
        };
        let read = resource_of::<R>().read(self.call(Bytes::new()), kept.value);
        let read = read.await.map_err(|found| words(&found))?;
        if read.is_null() {
            self.states.remove(R::TYPE);
        } else {
            let is_tainted = kept.is_tainted;
            let value = read;
            self.states.insert(R::TYPE, Kept { value, is_tainted });
        }
        Ok(())
    }

    /// Refreshes, plans and applies.
    pub(super) async fn apply<R: Resource<Provider = Configured>>(
        &mut self,
        config: &Value,
    ) -> Result<(), Ended> {
        unless_killed(Arc::clone(&self.gate), self.try_apply::<R>(config)).await
    }

    async fn try_apply<R: Resource<Provider = Configured>>(
        &mut self,
        config: &Value,
    ) -> Result<(), String> {
        self.refresh::<R>().await?;
        let mut prior = self.state::<R>();
        if self.is_tainted::<R>() {
            self.try_destroy::<R>().await?;
            prior = Value::Null;
        }
        let (mut planned, replaces, mut private) = self.plan::<R>(&prior, config).await?;
        if !prior.is_null() && planned == prior {
            return Ok(());
        }
        if replaces {
            self.try_destroy::<R>().await?;
            prior = Value::Null;
            (planned, _, private) = self.plan::<R>(&prior, config).await?;
        }
        let call = self.call(private);
        let applied =
            resource_of::<R>().apply(call, prior.clone(), planned.clone(), config.clone());
        let applied = applied.await;
        let failed = applied.messages.has_errors();
        if applied.state.is_null() {
            self.states.remove(R::TYPE);
        } else {
            let kept = Kept {
                value: applied.state.clone(),
                is_tainted: prior.is_null() && failed,
            };
            self.states.insert(R::TYPE, kept);
        }
        fails(&applied.messages)?;
        is_as_planned(&planned, &applied.state, R::TYPE)
    }

    /// Refreshes and destroys.
    pub(super) async fn destroy<R: Resource<Provider = Configured>>(
        &mut self,
    ) -> Result<(), Ended> {
        let gate = Arc::clone(&self.gate);
        let work = async {
            self.refresh::<R>().await?;
            self.try_destroy::<R>().await
        };
        unless_killed(gate, work).await
    }

    async fn try_destroy<R: Resource<Provider = Configured>>(&mut self) -> Result<(), String> {
        let prior = self.state::<R>();
        if prior.is_null() {
            return Ok(());
        }
        let applied =
            resource_of::<R>().apply(self.call(Bytes::new()), prior, Value::Null, Value::Null);
        let applied = applied.await;
        if applied.state.is_null() {
            self.states.remove(R::TYPE);
        }
        fails(&applied.messages)
    }

    /// Imports an existing object, as the error for a name in use suggests.
    pub(super) async fn import<R: Resource<Provider = Configured>>(
        &mut self,
        id: &str,
    ) -> Result<(), String> {
        let call = self.call(Bytes::new());
        let found = resource_of::<R>()
            .import(call, Import::Id(id.to_owned()))
            .await;
        let kept = Kept {
            value: found.map_err(|found| words(&found))?,
            is_tainted: false,
        };
        self.states.insert(R::TYPE, kept);
        Ok(())
    }
}

fn provider(world: &World, flower: &Flower, gate: &Arc<Gate>) -> Arc<Configured> {
    let runtime = MemoryRuntime::new(world.clone(), Arc::clone(gate));
    let (world, flower, gate) = (world.clone(), flower.clone(), Arc::clone(gate));
    let configured = Configured::new(Arc::new(runtime));
    Arc::new(configured.answered_by(move |endpoint| flower.client(&world, &gate, endpoint.port())))
}

fn words(found: &Diagnostics) -> String {
    let errors = found.iter().filter(|one| one.is_error());
    let errors = errors.map(|one| format!("{}: {}", one.summary, one.detail));
    errors.collect::<Vec<_>>().join("\n")
}

fn fails(found: &Diagnostics) -> Result<(), String> {
    if found.has_errors() {
        return Err(words(found));
    }
    Ok(())
}

/// Terraform's own check: known planned values must equal the result, and no value may be unknown.
fn is_as_planned(planned: &Value, made: &Value, what: &str) -> Result<(), String> {
    match (planned, made) {
        (_, made) if made.is_unknown() => Err(format!("{what} is unknown after the apply")),
        (planned, _) if planned.is_unknown() => Ok(()),
        (Value::Map(planned), Value::Map(made)) if planned.len() == made.len() => {
            let mut entries = planned.iter();
            entries.try_for_each(|(name, planned)| {
                let made = made.get(name).unwrap_or(&Value::Null);
                is_as_planned(planned, made, &format!("{what}.{name}"))
            })
        }
        (planned, made) if planned == made => Ok(()),
        (planned, made) => Err(format!(
            "inconsistent result: {what}: {planned:?}, {made:?}"
        )),
    }
}

/// An output of one resource as the input of another, with only the attributes that the input has.
pub(super) fn input<R: Resource<Provider = Configured>>(name: &str, output: &Value) -> Value {
    let resource = resource_of::<R>();
    let found = resource
        .compiled()
        .schema
        .attributes
        .iter()
        .find(|one| one.name == name);
    let Some(Kind::Nested(Nesting::Single, inner)) = found.map(|one| &one.kind) else {
        panic!("{name} is no object");
    };
    Value::object(
        inner
            .iter()
            .map(|one| (one.name.as_str(), output.attribute(one).clone())),
    )
}
