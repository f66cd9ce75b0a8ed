//! The generated messages of `proto/flower`. Only this module's parent uses them; everything else
//! works with parsed types.
#![allow(clippy::all, clippy::pedantic)]

include!(concat!(env!("OUT_DIR"), "/flwr.proto.rs"));
