//! Compiles the protocol texts under `proto/` with protox, so that no `protoc` is needed.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let plugin = protox::compile(
        [
            "tfplugin6/provider.proto",
            "go-plugin/plugin.proto",
            "flower/control.proto",
        ],
        ["proto"],
    )?;
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .compile_fds(plugin)?;
    Ok(())
}
