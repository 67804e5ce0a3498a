//! What wires ports on a host: one driver per kind of virtual switch. The agent's core knows
//! the server and the view; a driver knows the host.

use std::collections::BTreeMap;

use host::{Netns, Result};
use serde_json::{Map, Value};

use super::config::L2Config;
use super::extension::Extension;
use super::linuxbridge::{self, LinuxBridge, Wired};
use super::view::{FdbMessage, View};

/// The kind of virtual switch on a host, opened.
#[derive(Debug)]
pub enum Driver {
    /// A Linux bridge per network.
    LinuxBridge(Box<LinuxBridge>),
}

impl Driver {
    /// The Linux bridges of `ns`.
    ///
    /// # Errors
    /// When the host lacks what `config` names.
    pub fn linux_bridge(config: L2Config, extensions: Vec<Extension>, ns: &Netns) -> Result<Self> {
        Ok(Driver::LinuxBridge(Box::new(LinuxBridge::open(config, extensions, ns)?)))
    }

    /// The agent type it reports as.
    #[must_use]
    pub fn agent_type(&self) -> &'static str {
        match self {
            Driver::LinuxBridge(_) => "Linux bridge agent",
        }
    }

    /// The program it reports as.
    #[must_use]
    pub fn binary(&self) -> &'static str {
        match self {
            Driver::LinuxBridge(_) => linuxbridge::BINARY,
        }
    }

    /// The id it goes by in calls.
    ///
    /// # Errors
    /// When the host has nothing to tell it by.
    pub fn agent_id(&self) -> Result<String> {
        match self {
            Driver::LinuxBridge(driver) => driver.agent_id(),
        }
    }

    /// Its part of the report to the server.
    #[must_use]
    pub fn configurations(&self) -> Map<String, Value> {
        match self {
            Driver::LinuxBridge(driver) => driver.configurations(),
        }
    }

    /// The port devices on the host, with a number that changes when one is replaced.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn devices(&self) -> Result<BTreeMap<String, u32>> {
        match self {
            Driver::LinuxBridge(driver) => driver.devices(),
        }
    }

    /// Forgets what is installed, so that the next [`Driver::apply`] reads and repairs.
    pub fn forget(&mut self) {
        match self {
            Driver::LinuxBridge(driver) => driver.forget(),
        }
    }

    /// Notes that a network is no more.
    pub fn delete_network(&mut self, network: String) {
        match self {
            Driver::LinuxBridge(driver) => driver.delete_network(network),
        }
    }

    /// Disconnects a device.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn unplug(&self, device: &str) -> Result<()> {
        match self {
            Driver::LinuxBridge(driver) => driver.unplug(device),
        }
    }

    /// Makes the host like `view` says, once it has taken in `messages` about forwarding.
    ///
    /// # Errors
    /// When ports cannot be protected or the host not be read; then nothing was wired.
    pub fn apply(&mut self, view: &mut View, messages: &[FdbMessage]) -> Result<Wired> {
        match self {
            Driver::LinuxBridge(driver) => driver.apply(view, messages),
        }
    }
}
