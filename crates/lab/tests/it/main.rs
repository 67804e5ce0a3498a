//! Tests on simulated hosts: real namespaces, real packets. They need root.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod gre;
mod hosts;
mod restart;
mod services;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

/// The laboratory's program, built beside this test.
fn lab() -> PathBuf {
    env!("CARGO_BIN_EXE_lab").into()
}

/// The programs of a cloud. Cargo builds the one of this package only, so the other is built here, once.
fn programs() -> lab::cloud::Programs {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let done = Command::new(env!("CARGO")).args(["build", "-q", "--locked", "-p", "neutron"]).status();
        assert!(done.unwrap().success(), "neutron does not build");
    });
    lab::cloud::Programs { lab: lab(), neutron: lab().with_file_name("neutron") }
}
