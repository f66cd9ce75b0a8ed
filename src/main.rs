//! The provider's process: started by Terraform as a plugin, or by hand with `--version` or
//! `--debug`.

fn main() {}
