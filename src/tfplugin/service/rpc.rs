//! The methods of the gRPC service. Each runs its work in a task and writes a log line, and
//! responds even if the work panics.

use std::future::Future;
use std::time::Instant;

use tonic::{Request, Response, Status};

use super::super::diagnostic::Result;
use super::super::proto::{
    self, apply_resource_change, call_function, close_ephemeral_resource, configure_provider,
    get_functions, get_metadata, get_provider_schema, get_resource_identity_schemas,
    import_resource_state, move_resource_state, open_ephemeral_resource, plan_resource_change,
    provider_server, read_data_source, read_resource, renew_ephemeral_resource, stop_provider,
    upgrade_resource_identity, upgrade_resource_state, validate_data_resource_config,
    validate_ephemeral_resource_config, validate_provider_config, validate_resource_config,
};
use super::super::provider::Provider;
use super::super::resource::bug;
use super::super::schema::{self, Tree};
use super::response::HasDiagnostics;
use super::{CAPABILITIES, Inner, Service, read, unmanaged, wire_schemas};
use std::sync::Arc;

type Reply<T> = std::result::Result<Response<T>, Status>;

impl<P: Provider> Service<P> {
    /// Runs one call to its end, even if it panics.
    async fn run<A, F>(&self, rpc: &'static str, work: impl FnOnce(Arc<Inner<P>>) -> F) -> Reply<A>
    where
        A: HasDiagnostics + Send + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        let began = Instant::now();
        let response = match self.0.calls.spawn(work(Arc::clone(&self.0))).await {
            Ok(Ok(response)) => response,
            Ok(Err(found)) => A::from_diagnostics(found),
            Err(failed) => A::from_diagnostics(bug(failed).into()),
        };
        tracing::debug!(
            tf_rpc = rpc,
            tf_req_duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "served"
        );
        Ok(Response::new(response))
    }
}

/// The service. The table has the methods whose work is a function of `Inner` (`now`: one that does
/// not wait); the other methods are written in full.
macro_rules! service {
    (
        table { $( $rpc:ident $module:ident $work:ident $when:ident; )* }
        others { $($others:tt)* }
    ) => {
        #[tonic::async_trait]
        impl<P: Provider> provider_server::Provider for Service<P> {
            $( async fn $rpc(
                &self,
                request: Request<$module::Request>,
            ) -> Reply<$module::Response> {
                let request = request.into_inner();
                self.run(stringify!($rpc), |inner| async move {
                    service!(@call $when inner.$work(request))
                })
                .await
            } )*

            $($others)*
        }
    };
    (@call now $call:expr) => { $call };
    (@call later $call:expr) => { $call.await };
}

service! {
    table {
        get_provider_schema get_provider_schema schemas now;
        validate_provider_config validate_provider_config validate_provider now;
        configure_provider configure_provider configure_provider now;
        validate_resource_config validate_resource_config validate_resource now;
        upgrade_resource_state upgrade_resource_state upgrade_state now;
        upgrade_resource_identity upgrade_resource_identity upgrade_identity now;
        read_resource read_resource read_resource later;
        plan_resource_change plan_resource_change plan_change later;
        apply_resource_change apply_resource_change apply_change later;
        import_resource_state import_resource_state import_state later;
        move_resource_state move_resource_state move_state now;
        validate_data_resource_config validate_data_resource_config validate_data_source now;
        read_data_source read_data_source read_data_source later;
        validate_ephemeral_resource_config validate_ephemeral_resource_config validate_ephemeral now;
        open_ephemeral_resource open_ephemeral_resource open_ephemeral later;
        renew_ephemeral_resource renew_ephemeral_resource renew_ephemeral later;
        close_ephemeral_resource close_ephemeral_resource close_ephemeral later;
    }
    others {
    async fn get_metadata(
        &self,
        _: Request<get_metadata::Request>,
    ) -> Reply<get_metadata::Response> {
        let type_names = |names: Vec<&&'static str>| {
            names
                .into_iter()
                .map(|name| get_metadata::TypeName {
                    type_name: (*name).to_owned(),
                })
                .collect()
        };
        let functions = self.0.functions.keys();
        Ok(Response::new(get_metadata::Response {
            server_capabilities: Some(CAPABILITIES),
            diagnostics: Vec::new(),
            resources: type_names(self.0.resources.keys().collect()),
            data_sources: type_names(self.0.data_sources.keys().collect()),
            ephemeral_resources: type_names(self.0.ephemerals.keys().collect()),
            functions: functions
                .map(|name| get_metadata::FunctionName {
                    name: (*name).to_owned(),
                })
                .collect(),
        }))
    }

    async fn get_resource_identity_schemas(
        &self,
        _: Request<get_resource_identity_schemas::Request>,
    ) -> Reply<get_resource_identity_schemas::Response> {
        let identity_schemas = self
            .0
            .resources
            .iter()
            .filter_map(|(name, resource)| {
                let identity = schema::identity_to_wire(&resource.compiled().schema)?;
                Some(((*name).to_owned(), identity))
            })
            .collect();
        Ok(Response::new(get_resource_identity_schemas::Response {
            identity_schemas,
            diagnostics: Vec::new(),
        }))
    }

    async fn get_functions(
        &self,
        _: Request<get_functions::Request>,
    ) -> Reply<get_functions::Response> {
        Ok(Response::new(get_functions::Response {
            functions: self.0.function_schemas(),
            diagnostics: Vec::new(),
        }))
    }

    async fn call_function(
        &self,
        request: Request<call_function::Request>,
    ) -> Reply<call_function::Response> {
        let inner = Arc::clone(&self.0);
        let request = request.into_inner();
        let answer = tokio::spawn(async move { inner.call_function(request) }).await;
        Ok(Response::new(answer.unwrap_or_else(|failed| {
            call_function::Response {
                result: None,
                error: Some(proto::FunctionError::masked(&bug(failed).detail, None)),
            }
        })))
    }

    async fn stop_provider(
        &self,
        _: Request<stop_provider::Request>,
    ) -> Reply<stop_provider::Response> {
        tracing::info!("the host requested a stop: running operations end early");
        self.0.stop.cancel();
        Ok(Response::new(stop_provider::Response::default()))
    }
    }
}

impl<P: Provider> Inner<P> {
    fn schemas(&self, _: get_provider_schema::Request) -> Result<get_provider_schema::Response> {
        let resources = self.resources.iter().map(|(n, r)| (*n, r.compiled()));
        let data_sources = self.data_sources.iter().map(|(n, d)| (*n, d.compiled()));
        let ephemerals = self.ephemerals.iter().map(|(n, e)| (*n, e.compiled()));
        Ok(get_provider_schema::Response {
            provider: Some(schema::to_wire(&self.compiled().schema)),
            resource_schemas: wire_schemas(resources),
            data_source_schemas: wire_schemas(data_sources),
            ephemeral_resource_schemas: wire_schemas(ephemerals),
            functions: self.function_schemas(),
            server_capabilities: Some(CAPABILITIES),
            ..Default::default()
        })
    }

    fn function_schemas(&self) -> std::collections::HashMap<String, proto::Function> {
        self.functions
            .iter()
            .map(|(name, f)| ((*name).to_owned(), unmanaged::signature(f.signature())))
            .collect()
    }

    fn validate_provider(
        &self,
        request: validate_provider_config::Request,
    ) -> Result<validate_provider_config::Response> {
        let config = read(self.compiled(), request.config)?;
        let mut found = schema::validate(&self.compiled().schema.attributes, &config, true);
        found.extend(self.provider.validate(&Tree::new(config)));
        Ok(validate_provider_config::Response::from_diagnostics(found))
    }

    fn configure_provider(
        &self,
        request: configure_provider::Request,
    ) -> Result<configure_provider::Response> {
        let config = read(self.compiled(), request.config)?;
        self.configure(self.provider.configure(&Tree::new(config))?);
        Ok(configure_provider::Response::default())
    }
}
