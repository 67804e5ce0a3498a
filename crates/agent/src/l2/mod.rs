//! The L2 agent: wires the ports of this host and protects them.
//!
//! [`view`] is what the server said, [`driver`] what makes the host so; [`run`] is the loop
//! between them. Messages and events of the kernel only wake the loop; every pass looks at both
//! sides and does what is missing. A restart therefore needs no memory: it reads what is
//! installed, asks the server, and finds nothing to do.

mod agent;
pub mod config;
pub mod driver;
pub mod endpoint;
pub mod extension;
pub mod firewall;
pub mod linuxbridge;
pub mod openvswitch;
pub mod server;
pub mod view;

pub use agent::{AgentError, run};
pub use config::{L2Config, firewall_problem};
