//! Simulated hosts from namespaces: the demonstration, the tests on real packets, the benchmark.

pub mod bench;
pub mod hold;
pub mod host;
pub mod report;
pub mod underlay;
