//! The provider: its configuration, and the list of its resources and data sources.

mod kubernetes;
mod local;

use std::sync::Arc;

use crate::data_sources;
use crate::flower::control::{AccountToken, EndpointError};
use crate::masking;
use crate::resources::report;
use crate::resources::{
    Configured, app_run::AppRun, superlink::Superlink, supernode::Supernode,
    supernode_key::SupernodeKey,
};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, Tree, optional};
use crate::tfplugin::{self, AnyDataSource, AnyResource, Provider};
use crate::{at, model};

model! {
    /// Manages federated learning with Flower: SuperLinks, SuperNodes, their keys, and runs of
    /// apps.
    ///
    /// By default, processes run on this machine (the runtime `local`). This needs only Python 3.11
    /// or newer (3.9 to 3.12 for Flower 1.13 and 1.14, 3.10 or newer for Flower up to 1.30). With
    /// `kubernetes`, they run in pods of a cluster; use one provider alias for each tenant or
    /// cluster. Configuring the provider never opens a connection.
    ///
    /// Use the runtime `local` only on a machine that nobody else uses: Flower's Control API has no
    /// login, so every user of the machine can start runs, and a run executes code as the user who
    /// applied. On a shared machine use `kubernetes`, or your own virtual machine or container. The
    /// guide "Security" describes who can reach what.
    pub struct Config {
        /// Settings of the runtime `local` (default), which runs processes on this machine. Nobody
        /// else should use the machine.
        local: Option<local::Local> = optional(),
        /// Settings of the runtime `kubernetes`, which runs pods in a cluster.
        kubernetes: Option<kubernetes::Kubernetes> = optional(),
        /// The access token of an account, for every SuperLink whose `control` has no `token_file`.
        /// The provider sends it only over TLS or within this machine. Terraform stores no provider
        /// configuration and accepts ephemeral values here, so no plan, state or log contains the
        /// token. It must stay valid for a whole apply: if another program renews it during the
        /// apply, use `token_file`.
        control_token: Option<String> = optional().sensitive(),
    }
}

/// The provider for Flower.
pub struct Flower;

impl Provider for Flower {
    type Configured = Configured;
    type Model = Config;

    fn validate(&self, config: &Tree<Config>) -> Diagnostics {
        kubernetes::validate(config)
    }

    fn configure(&self, config: &Tree<Config>) -> Result<Option<Configured>> {
        let here = std::env::current_dir().map_err(|error| {
            Diagnostic::error("The current folder cannot be found").detail(error.to_string())
        })?;
        // Installers print the URLs of package indexes and proxies, which these variables can
        // contain.
        for (_, value) in std::env::vars_os() {
            if let Some(value) = value.to_str() {
                masking::hide_passwords(value);
            }
        }
        let token = token(config)?;
        match config.get::<Option<kubernetes::Kubernetes>>(at!(Config, kubernetes))? {
            Maybe::Unknown => return Ok(None),
            Maybe::Known(None) => {}
            Maybe::Known(Some(settings)) => {
                let runtime = kubernetes::runtime(settings, &here);
                let configured = Configured::new(Arc::new(runtime));
                return Ok(Some(configured.with_token(token)));
            }
        }
        let Maybe::Known(settings) = config.get::<Option<local::Local>>(at!(Config, local))? else {
            return Ok(None);
        };
        let runtime = local::runtime(settings.as_ref(), &here)?;
        Ok(Some(Configured::new(Arc::new(runtime)).with_token(token)))
    }

    fn resources(&self) -> Vec<Arc<dyn AnyResource<Configured>>> {
        vec![
            tfplugin::resource::<SupernodeKey>(),
            tfplugin::resource::<Superlink>(),
            tfplugin::resource::<Supernode>(),
            tfplugin::resource::<AppRun>(),
        ]
    }

    fn data_sources(&self) -> Vec<Arc<dyn AnyDataSource<Configured>>> {
        vec![
            tfplugin::data_source::<data_sources::App>(),
            tfplugin::data_source::<data_sources::Federations>(),
            tfplugin::data_source::<data_sources::Log>(),
            tfplugin::data_source::<data_sources::RunLog>(),
            tfplugin::data_source::<data_sources::RunSource>(),
            tfplugin::data_source::<data_sources::RunMetrics>(),
            tfplugin::data_source::<data_sources::RunReportSource>(),
            tfplugin::data_source::<data_sources::Runs>(),
            tfplugin::data_source::<data_sources::Supernodes>(),
        ]
    }
}

/// The token for SuperLinks with accounts; `None` if it is unknown, as it may be in a plan.
fn token(config: &Tree<Config>) -> Result<Option<AccountToken>> {
    let Some(token) = config
        .get::<Option<String>>(at!(Config, control_token))?
        .known()
        .flatten()
    else {
        return Ok(None);
    };
    token.parse().map(Some).map_err(|error: EndpointError| {
        report::error("The token for SuperLinks cannot be used", &error)
            .at(at!(Config, control_token))
            .into()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources::planning::plan_in;
    use crate::tfplugin::value::from_json;

    #[tokio::test]
    async fn requirements_are_refused_by_the_plan_where_images_run_as_they_are() {
        let config = json!({ "kubernetes": { "config_path": "no-such-file" } });
        let config = Tree::new(from_json(&config, &Flower.schema().ty()).unwrap());
        let cluster = Arc::new(Flower.configure(&config).unwrap().unwrap());
        let refused = "`requirements` cannot be installed";
        for (requirements, expected) in [(json!(["numpy"]), refused), (json!([]), "")] {
            let config = json!({ "name": "a", "requirements": requirements });
            let planned = plan_in::<Superlink>(Some(Arc::clone(&cluster)), None, config);
            assert_eq!(planned.await.errors, expected);
        }
    }
}
