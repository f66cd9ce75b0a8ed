//! The messages on the wire, generated from `proto/flower`. They do not leave this module's parent:
//! everything else works with the parsed types.
#![allow(clippy::all, clippy::pedantic)]

include!(concat!(env!("OUT_DIR"), "/flwr.proto.rs"));
