//! Tests on simulated hosts: real namespaces, real packets. They need root.

mod hosts;

/// The laboratory's program, built beside this test.
fn lab() -> std::path::PathBuf {
    env!("CARGO_BIN_EXE_lab").into()
}
