//! The provider: its configuration and the list of all that it offers.

mod kubernetes;

use std::path::PathBuf;
use std::sync::Arc;

use crate::data_sources;
use crate::flower::control::{AccountToken, EndpointError};
use crate::model;
use crate::resources::report::failed;
use crate::resources::{
    Configured, app_run::AppRun, superlink::Superlink, supernode::Supernode,
    supernode_key::SupernodeKey,
};
use crate::runtime::local::LocalRuntime;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, Schema, Tree, optional};
use crate::tfplugin::{self, AnyDataSource, AnyResource, Provider, log};

model! {
    /// Runs federated learning with Flower: SuperLinks, SuperNodes, their keys, and runs of apps.
    ///
    /// Without any setting, processes run on this machine (the runtime `local`), which needs
    /// nothing but Python 3.11 or newer (3.9 to 3.12 for Flower 1.13 and 1.14, 3.10 or newer up to
    /// 1.30). With `kubernetes` they run in pods of a cluster; tenants and clusters are aliases.
    /// Configuring the provider never connects to anything.
    pub struct Config {
        /// Run processes on this machine; the default.
        local: Option<Local> = optional(),
        /// Run pods in a cluster.
        kubernetes: Option<kubernetes::Kubernetes> = optional(),
        /// The access token of an account, for every SuperLink whose `control` has no `token_file`;
        /// sent only over TLS or within this machine. A provider's configuration is stored nowhere
        /// and takes ephemeral values, so the token is in no plan, state or log. It must outlive an
        /// apply: for one that is renewed meanwhile use `token_file`.
        control_token: Option<String> = optional().sensitive(),
    }
}

model! {
    /// Processes of this machine, bound to 127.0.0.1.
    pub struct Local {
        /// Where databases, logs, keys and certificates are kept; `.flower` by default. Relative
        /// ones start where Terraform runs. Keep it out of version control. A log longer than 8 MiB
        /// is cut by the next plan or apply, which keeps three older parts, and by nothing else:
        /// where none passes by for weeks, cut it yourself (`logrotate` with `copytruncate`). An
        /// idle SuperLink of Flower 1.42 writes next to nothing, one of 1.36 or older about 2 MB a
        /// day for each SuperNode.
        data_dir: Option<String> = optional(),
        /// Where Python environments are kept, for all configurations of the user;
        /// `$XDG_CACHE_HOME/terraform-provider-flower`, or the like under `~/.cache`, by default.
        cache_dir: Option<String> = optional(),
        /// The Python that environments are made with; `python3` by default.
        python: Option<String> = optional(),
    }
}

/// The provider for Flower.
pub struct Flower;

impl Provider for Flower {
    type Configured = Configured;

    fn schema(&self) -> Schema {
        Schema::of::<Config>()
    }

    fn validate(&self, config: &Tree) -> Diagnostics {
        kubernetes::validate(config)
    }

    fn configure(&self, config: &Tree) -> Result<Option<Configured>> {
        let here = std::env::current_dir().map_err(|error| {
            Diagnostic::error("The current folder cannot be found").detail(error.to_string())
        })?;
        let token = token(config)?;
        match config.get::<Option<kubernetes::Kubernetes>>("kubernetes")? {
            Maybe::Unknown => return Ok(None),
            Maybe::Known(None) => {}
            Maybe::Known(Some(settings)) => {
                let runtime = kubernetes::runtime(settings, &here);
                let configured = Configured::new(Arc::new(runtime));
                return Ok(Some(configured.with_token(token)));
            }
        }
        let Maybe::Known(local) = config.get::<Option<Local>>("local")? else {
            return Ok(None);
        };
        let (data_dir, cache_dir, python) =
            local.map_or((None, None, None), |l| (l.data_dir, l.cache_dir, l.python));
        let runtime = LocalRuntime {
            data_dir: here.join(data_dir.unwrap_or_else(|| ".flower".to_owned())),
            cache_dir: here.join(match cache_dir {
                Some(dir) => PathBuf::from(dir),
                None => default_cache()?,
            }),
            python: python.unwrap_or_else(|| "python3".to_owned()),
        };
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
            tfplugin::data_source::<data_sources::RunLog>(),
            tfplugin::data_source::<data_sources::Runs>(),
            tfplugin::data_source::<data_sources::Supernodes>(),
        ]
    }
}

/// The token for SuperLinks with accounts; none while it is unknown, as it may be in a plan.
fn token(config: &Tree) -> Result<Option<AccountToken>> {
    let Some(token) = config
        .get::<Option<String>>("control_token")?
        .known()
        .flatten()
    else {
        return Ok(None);
    };
    log::mask(&token);
    token.parse().map(Some).map_err(|error: EndpointError| {
        failed("The token for SuperLinks cannot be used", &error)
            .on("control_token")
            .into()
    })
}

fn default_cache() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")));
    cache
        .map(|cache| cache.join("terraform-provider-flower"))
        .ok_or_else(|| {
            Diagnostic::error("There is no place for Python environments")
                .detail("Neither XDG_CACHE_HOME nor HOME is set.")
                .detail("Set `local = { cache_dir = \"…\" }` in the provider's configuration.")
                .on("local")
                .into()
        })
}
