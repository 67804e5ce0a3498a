//! Simulated hosts from namespaces: the demonstration, the tests on real packets, the benchmark.

pub mod bench;
pub mod chaos;
pub mod cloud;
pub mod daemon;
pub mod demo;
pub mod guide;
pub mod hold;
pub mod horizon;
pub mod host;
pub mod instance;
pub mod interop;
pub mod lasting;
pub mod nova;
pub mod openstackclient;
pub mod relay;
pub mod report;
pub mod services;
pub mod site;
pub mod standing;
pub mod switch;
pub mod tempest;
pub mod tools;
pub mod underlay;
pub mod users;
pub mod vm;
