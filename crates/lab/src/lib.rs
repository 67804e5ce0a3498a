//! Simulated hosts from namespaces: the demonstration, the tests on real packets, the benchmark.

pub mod bench;
pub mod cloud;
pub mod daemon;
pub mod demo;
pub mod hold;
pub mod host;
pub mod instance;
pub mod lasting;
pub mod report;
pub mod services;
pub mod standing;
pub mod tools;
pub mod underlay;
pub mod vm;
