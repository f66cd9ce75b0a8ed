//! Provider functions: pure computations that a configuration can call.

use super::value::{Type, Value};

/// A function, called as `provider::flower::NAME(…)`.
pub trait Function: Send + Sync {
    /// A verb, without the provider's name.
    fn name(&self) -> &'static str;

    fn signature(&self) -> Signature;

    /// Computes the result; all arguments are known and of the declared types.
    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}

/// The parameters and the result of a function.
#[derive(Debug, Clone)]
pub struct Signature {
    pub summary: &'static str,
    pub description: &'static str,
    pub parameters: Vec<Parameter>,
    pub returns: Type,
}

#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: &'static str,
    pub description: &'static str,
    pub ty: Type,
}

/// The error of a function, and the argument that caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    pub argument: Option<usize>,
    pub text: String,
}
