//! The agents on real namespaces, daemons and packets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod dhcp;
mod direct;
mod firewall;
mod l2;
mod l2lab;
mod l3;
mod l3_ovs;
mod machine;
mod metadata;
mod ovs;
mod server;
