//! Simulated hosts from namespaces: the demonstration, the tests on real packets, the benchmark.
pub mod bench;
