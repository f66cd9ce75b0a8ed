//! The calls for a managed resource: validate, upgrade, read, plan, apply, import, move.

use serde_json::Value as Json;

use super::super::diagnostic::{Diagnostic, Result};
use super::super::proto::{
    self, apply_resource_change, import_resource_state, move_resource_state, plan_resource_change,
    read_resource, upgrade_resource_identity, upgrade_resource_state, validate_resource_config,
};
use super::super::provider::Provider;
use super::super::resource::{Compiled, Import, spawned};
use super::super::schema::{self, Tree};
use super::super::value::{self, Type};
use super::response::HasDiagnostics;
use super::{Inner, identity, read, unreadable, write};
use crate::masking;

impl<P: Provider> Inner<P> {
    pub(super) fn validate_resource(
        &self,
        request: validate_resource_config::Request,
    ) -> Result<validate_resource_config::Response> {
        let resource = self.resource(&request.type_name)?;
        let compiled = resource.compiled();
        let config = read(compiled, request.config)?;
        let may_write = request
            .client_capabilities
            .is_some_and(|client| client.write_only_attributes_allowed);
        let mut found = schema::validate(&compiled.schema.attributes, &config, may_write);
        found.extend(resource.validate(config));
        Ok(validate_resource_config::Response::from_diagnostics(found))
    }

    pub(super) fn upgrade_state(
        &self,
        request: upgrade_resource_state::Request,
    ) -> Result<upgrade_resource_state::Response> {
        let resource = self.resource(&request.type_name)?;
        let compiled = resource.compiled();
        let mut state = stored(request.raw_state)?;
        let current = compiled.schema.version;
        if request.version > current {
            return Err(Diagnostic::error(format!(
                "The state of a {} was written by a newer provider",
                request.type_name
            ))
            .detail(format!(
                "It has schema version {}; this provider knows versions up to {current}.",
                request.version
            ))
            .detail("Use the provider version that wrote it, or a newer one.")
            .into());
        }
        if request.version < current {
            state = resource.upgrade(request.version, state)?;
        }
        let state = value::from_json(&state, &compiled.ty).map_err(|error| unreadable(&error))?;
        schema::each_secret(&compiled.schema.attributes, &state, &mut masking::hide);
        Ok(upgrade_resource_state::Response {
            upgraded_state: write(&state),
            diagnostics: Vec::new(),
        })
    }

    pub(super) fn upgrade_identity(
        &self,
        request: upgrade_resource_identity::Request,
    ) -> Result<upgrade_resource_identity::Response> {
        let resource = self.resource(&request.type_name)?;
        let ty = identity_type(resource.compiled());
        let raw = stored(request.raw_identity)?;
        let raw = resource.upgrade_identity(request.version, raw)?;
        let identity = value::from_json(&raw, &ty).map_err(|error| unreadable(&error))?;
        Ok(upgrade_resource_identity::Response {
            upgraded_identity: Some(proto::ResourceIdentityData {
                identity_data: write(&identity),
            }),
            diagnostics: Vec::new(),
        })
    }

    pub(super) async fn read_resource(
        &self,
        request: read_resource::Request,
    ) -> Result<read_resource::Response> {
        let resource = self.resource(&request.type_name)?;
        let compiled = resource.compiled();
        let current = request.current_state.clone();
        let state = read(compiled, request.current_state)?;
        let call = self.call()?.with_private(request.private);
        let result = spawned(resource.read(call.clone(), state)).await;
        let mut found = call.warnings();
        let (new_state, new_identity) = match found.absorb(result) {
            Some(state) => (write(&state), identity(&compiled.schema, &state)),
            None => (current, request.current_identity),
        };
        Ok(read_resource::Response {
            new_state,
            new_identity,
            private: call.private(),
            ..Default::default()
        }
        .with_diagnostics(found))
    }

    pub(super) async fn plan_change(
        &self,
        request: plan_resource_change::Request,
    ) -> Result<plan_resource_change::Response> {
        let resource = self.resource(&request.type_name)?;
        let compiled = resource.compiled();
        let proposed = read(compiled, request.proposed_new_state.clone())?;
        if proposed.is_null() {
            return Ok(plan_resource_change::Response {
                planned_state: request.proposed_new_state,
                planned_private: request.prior_private,
                planned_identity: request.prior_identity,
                ..Default::default()
            });
        }
        let prior = read(compiled, request.prior_state)?;
        let config = read(compiled, request.config)?;
        let private = request.prior_private;
        let planning = resource.plan(self.configured(), prior, proposed, config, private);
        let outcome = spawned(async move { Ok(planning.await) }).await?;
        Ok(plan_resource_change::Response {
            planned_state: write(&outcome.state),
            requires_replace: outcome.replace.iter().map(Into::into).collect(),
            planned_private: outcome.private,
            planned_identity: request.prior_identity,
            ..Default::default()
        }
        .with_diagnostics(outcome.messages))
    }

    pub(super) async fn apply_change(
        &self,
        request: apply_resource_change::Request,
    ) -> Result<apply_resource_change::Response> {
        let resource = self.resource(&request.type_name)?;
        let compiled = resource.compiled();
        let prior = read(compiled, request.prior_state)?;
        let planned = read(compiled, request.planned_state)?;
        let config = read(compiled, request.config)?;
        let call = match self.call() {
            Ok(call) => call.with_private(request.planned_private),
            Err(found) => {
                return Ok(apply_resource_change::Response {
                    new_state: write(&prior),
                    private: request.planned_private,
                    ..apply_resource_change::Response::from_diagnostics(found)
                });
            }
        };
        let outcome = resource.apply(call.clone(), prior, planned, config).await;
        Ok(apply_resource_change::Response {
            new_state: write(&outcome.state),
            new_identity: identity(&compiled.schema, &outcome.state),
            private: call.private(),
            ..Default::default()
        }
        .with_diagnostics(outcome.messages))
    }

    pub(super) async fn import_state(
        &self,
        request: import_resource_state::Request,
    ) -> Result<import_resource_state::Response> {
        let resource = self.resource(&request.type_name)?;
        let compiled = resource.compiled();
        let what = match request.identity.and_then(|identity| identity.identity_data) {
            Some(wire) if request.id.is_empty() => {
                let identity = value::decode(&wire.msgpack, &identity_type(compiled));
                let identity = identity.map_err(|error| unreadable(&error.to_string()))?;
                Import::Identity(Tree::new(identity))
            }
            _ => Import::Id(request.id),
        };
        let call = self.call()?;
        let result = spawned(resource.import(call.clone(), what)).await;
        let mut found = call.warnings();
        let imported = found
            .absorb(result)
            .map(|state| import_resource_state::ImportedResource {
                type_name: request.type_name,
                state: write(&state),
                identity: identity(&compiled.schema, &state),
                private: call.private(),
            });
        Ok(import_resource_state::Response {
            imported_resources: imported.into_iter().collect(),
            ..Default::default()
        }
        .with_diagnostics(found))
    }

    pub(super) fn move_state(
        &self,
        request: move_resource_state::Request,
    ) -> Result<move_resource_state::Response> {
        let resource = self.resource(&request.target_type_name)?;
        let compiled = resource.compiled();
        let source = stored(request.source_state)?;
        let Some(state) = resource.move_state(&request.source_type_name, &source) else {
            return Err(Diagnostic::error(format!(
                "{} cannot be moved to {}",
                request.source_type_name, request.target_type_name
            ))
            .detail(format!(
                "Its provider is {}.",
                request.source_provider_address
            ))
            .detail("Use `removed` and `import` blocks instead of `moved`.")
            .into());
        };
        let state = value::from_json(&state?, &compiled.ty).map_err(|error| unreadable(&error))?;
        Ok(move_resource_state::Response {
            target_state: write(&state),
            target_identity: identity(&compiled.schema, &state),
            ..Default::default()
        })
    }
}

fn stored(raw: Option<proto::RawState>) -> Result<Json> {
    let raw = raw.unwrap_or_default();
    serde_json::from_slice(&raw.json).map_err(|error| unreadable(&error.to_string()))
}

fn identity_type(compiled: &Compiled) -> Type {
    Type::Object(
        compiled
            .schema
            .attributes
            .iter()
            .filter(|attribute| attribute.is_identity())
            .map(|attribute| (attribute.name.clone(), attribute.kind.ty()))
            .collect(),
    )
}
