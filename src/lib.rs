//! The Terraform provider for Flower.
pub mod tfplugin;
