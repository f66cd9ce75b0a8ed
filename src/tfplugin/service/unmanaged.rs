//! The calls for data sources, ephemeral resources and functions.

use std::time::SystemTime;

use super::super::diagnostic::Result;
use super::super::function::Signature;
use super::super::proto::{
    self, call_function, close_ephemeral_resource, open_ephemeral_resource, read_data_source,
    renew_ephemeral_resource, validate_data_resource_config, validate_ephemeral_resource_config,
};
use super::super::provider::Provider;
use super::super::resource::spawned;
use super::super::schema;
use super::super::value::{self, Type};
use super::response::HasDiagnostics;
use super::{Inner, read, write};

impl<P: Provider> Inner<P> {
    pub(super) fn validate_data_source(
        &self,
        request: validate_data_resource_config::Request,
    ) -> Result<validate_data_resource_config::Response> {
        let source = self.data_source(&request.type_name)?;
        let compiled = source.compiled();
        let config = read(compiled, request.config)?;
        let mut found = schema::validate(&compiled.schema.attributes, &config, true);
        found.extend(source.validate(config));
        Ok(validate_data_resource_config::Response::from_diagnostics(
            found,
        ))
    }

    pub(super) async fn read_data_source(
        &self,
        request: read_data_source::Request,
    ) -> Result<read_data_source::Response> {
        let source = self.data_source(&request.type_name)?;
        let config = read(source.compiled(), request.config)?;
        let call = self.call()?;
        let result = spawned(source.read(call.clone(), config)).await;
        let mut found = call.warnings();
        let state = found.absorb(result).and_then(|state| write(&state));
        Ok(read_data_source::Response {
            state,
            ..Default::default()
        }
        .with_diagnostics(found))
    }

    pub(super) fn validate_ephemeral(
        &self,
        request: validate_ephemeral_resource_config::Request,
    ) -> Result<validate_ephemeral_resource_config::Response> {
        let ephemeral = self.ephemeral(&request.type_name)?;
        let compiled = ephemeral.compiled();
        let config = read(compiled, request.config)?;
        let found = schema::validate(&compiled.schema.attributes, &config, true);
        Ok(validate_ephemeral_resource_config::Response::from_diagnostics(found))
    }

    pub(super) async fn open_ephemeral(
        &self,
        request: open_ephemeral_resource::Request,
    ) -> Result<open_ephemeral_resource::Response> {
        let ephemeral = self.ephemeral(&request.type_name)?;
        let config = read(ephemeral.compiled(), request.config)?;
        let call = self.call()?;
        let result = spawned(ephemeral.open(call.clone(), config)).await;
        let mut found = call.warnings();
        let opened = found.absorb(result);
        let response = opened.map(|opened| open_ephemeral_resource::Response {
            result: write(&opened.result),
            private: Some(opened.private),
            renew_at: opened.renew_at.map(timestamp),
            ..Default::default()
        });
        Ok(response.unwrap_or_default().with_diagnostics(found))
    }

    pub(super) async fn renew_ephemeral(
        &self,
        request: renew_ephemeral_resource::Request,
    ) -> Result<renew_ephemeral_resource::Response> {
        let ephemeral = self.ephemeral(&request.type_name)?;
        let private = request.private.unwrap_or_default();
        let renewing = ephemeral.renew(self.call()?, private.clone());
        let renew_at = spawned(renewing).await?;
        Ok(renew_ephemeral_resource::Response {
            renew_at: renew_at.map(timestamp),
            private: Some(private),
            diagnostics: Vec::new(),
        })
    }

    pub(super) async fn close_ephemeral(
        &self,
        request: close_ephemeral_resource::Request,
    ) -> Result<close_ephemeral_resource::Response> {
        let ephemeral = self.ephemeral(&request.type_name)?;
        let private = request.private.unwrap_or_default();
        spawned(ephemeral.close(self.call()?, private)).await?;
        Ok(close_ephemeral_resource::Response::default())
    }

    pub(super) fn call_function(&self, request: call_function::Request) -> call_function::Response {
        let failed = |text: String, argument: Option<usize>| call_function::Response {
            result: None,
            error: Some(proto::FunctionError::masked(
                &text,
                argument.and_then(|index| i64::try_from(index).ok()),
            )),
        };
        let Some(function) = self.functions.get(request.name.as_str()) else {
            return failed(
                format!("this provider has no function {}", request.name),
                None,
            );
        };
        let signature = function.signature();
        let arguments: std::result::Result<Vec<_>, value::DecodeError> = request
            .arguments
            .iter()
            .zip(&signature.parameters)
            .map(|(wire, parameter)| value::decode(&wire.msgpack, &parameter.ty))
            .collect();
        let arguments = match arguments {
            Ok(arguments) if arguments.len() == signature.parameters.len() => arguments,
            Ok(_) => return failed("wrong number of arguments".to_owned(), None),
            Err(error) => return failed(error.to_string(), None),
        };
        match function.call(arguments) {
            Ok(result) => call_function::Response {
                result: write(&result),
                error: None,
            },
            Err(error) => failed(error.text, error.argument),
        }
    }
}

pub(super) fn signature(signature: Signature) -> proto::Function {
    let ty = |ty: &Type| bytes::Bytes::from(ty.to_json().to_string());
    proto::Function {
        parameters: signature
            .parameters
            .iter()
            .map(|parameter| proto::function::Parameter {
                name: parameter.name.to_owned(),
                r#type: ty(&parameter.ty),
                description: parameter.description.to_owned(),
                description_kind: proto::StringKind::Markdown.into(),
                ..Default::default()
            })
            .collect(),
        r#return: Some(proto::function::Return {
            r#type: ty(&signature.returns),
        }),
        summary: signature.summary.to_owned(),
        description: signature.description.to_owned(),
        description_kind: proto::StringKind::Markdown.into(),
        ..Default::default()
    }
}

fn timestamp(time: SystemTime) -> proto::Timestamp {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    proto::Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
    }
}
