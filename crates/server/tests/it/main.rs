//! The server against real files: store, pipeline, HTTP.

#[cfg(test)]
mod agents;
#[cfg(test)]
mod api;
#[cfg(test)]
mod client;
#[cfg(test)]
mod flavors;
#[cfg(test)]
mod galera;
#[cfg(test)]
mod keystone;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod mariadb;
#[cfg(test)]
mod methods;
#[cfg(test)]
mod network_contact;
#[cfg(test)]
mod nova;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod odd_input;
#[cfg(test)]
mod old_agents;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod ports;
#[cfg(test)]
mod races;
#[cfg(test)]
#[path = "../../../rpc/tests/it/raw.rs"]
mod raw;
#[cfg(test)]
mod routers;
#[cfg(test)]
mod security_groups;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod store;
#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod wiring;
#[cfg(test)]
mod world;
