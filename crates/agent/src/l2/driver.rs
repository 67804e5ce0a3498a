//! What wires ports on a host: one driver per kind of virtual switch. The agent's core knows
//! the server and the view; a driver knows the host.

use std::collections::BTreeMap;
use std::net::IpAddr;

use host::{Netns, Result};
use model::names;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::config::L2Config;
use super::extension::Extension;
use super::linuxbridge::{self, LinuxBridge, Wired};
use super::openvswitch::{self, OpenVswitch, OvsConfig};
use super::view::{FdbMessage, View};

/// The kind of virtual switch on a host, opened.
#[derive(Debug)]
pub enum Driver {
    /// A Linux bridge per network.
    LinuxBridge(Box<LinuxBridge>),
    /// One Open vSwitch bridge for all networks.
    OpenVswitch(Box<OpenVswitch>),
}

impl Driver {
    /// The Linux bridges of `ns`.
    ///
    /// # Errors
    /// When the host lacks what `config` names.
    pub fn linux_bridge(config: L2Config, extensions: Vec<Extension>, ns: &Netns) -> Result<Self> {
        Ok(Driver::LinuxBridge(Box::new(LinuxBridge::open(config, extensions, ns)?)))
    }

    /// The Open vSwitch of this host, from within a runtime.
    ///
    /// # Errors
    /// When it does not answer, or lacks what `config` names.
    pub fn open_vswitch(config: OvsConfig, ns: &Netns) -> Result<Self> {
        Ok(Driver::OpenVswitch(Box::new(OpenVswitch::open(config, ns)?)))
    }

    /// How devices are named: after the kernel's, or by the port's id.
    #[must_use]
    pub fn naming(&self) -> fn(&str) -> String {
        match self {
            Driver::LinuxBridge(_) => names::tap,
            Driver::OpenVswitch(_) => str::to_owned,
        }
    }

    /// The tunnels that every host has to every other: this host's address, and their types.
    #[must_use]
    pub fn tunnels(&self) -> Option<(IpAddr, Vec<&'static str>)> {
        match self {
            Driver::LinuxBridge(_) => None,
            Driver::OpenVswitch(driver) => driver.tunnels(),
        }
    }

    /// What changes when the host does, beside the kernel's devices.
    #[must_use]
    pub fn changes(&self) -> Option<watch::Receiver<()>> {
        match self {
            Driver::LinuxBridge(_) => None,
            Driver::OpenVswitch(driver) => Some(driver.changes()),
        }
    }

    /// The agent type it reports as.
    #[must_use]
    pub fn agent_type(&self) -> &'static str {
        match self {
            Driver::LinuxBridge(_) => "Linux bridge agent",
            Driver::OpenVswitch(_) => "Open vSwitch agent",
        }
    }

    /// The program it reports as.
    #[must_use]
    pub fn binary(&self) -> &'static str {
        match self {
            Driver::LinuxBridge(_) => linuxbridge::BINARY,
            Driver::OpenVswitch(_) => openvswitch::BINARY,
        }
    }

    /// The id it goes by in calls.
    ///
    /// # Errors
    /// When the host has nothing to tell it by.
    pub fn agent_id(&self) -> Result<String> {
        match self {
            Driver::LinuxBridge(driver) => driver.agent_id(),
            Driver::OpenVswitch(driver) => Ok(driver.agent_id()),
        }
    }

    /// Its part of the report to the server.
    #[must_use]
    pub fn configurations(&self) -> Map<String, Value> {
        match self {
            Driver::LinuxBridge(driver) => driver.configurations(),
            Driver::OpenVswitch(driver) => driver.configurations(),
        }
    }

    /// The port devices on the host, with a number that changes when one is replaced.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn devices(&mut self) -> Result<BTreeMap<String, u32>> {
        match self {
            Driver::LinuxBridge(driver) => driver.devices(),
            Driver::OpenVswitch(driver) => driver.devices(),
        }
    }

    /// Forgets what is installed, so that the next [`Driver::apply`] reads and repairs.
    pub fn forget(&mut self) {
        match self {
            Driver::LinuxBridge(driver) => driver.forget(),
            Driver::OpenVswitch(driver) => driver.forget(),
        }
    }

    /// Notes that a network is no more.
    pub fn delete_network(&mut self, network: String) {
        match self {
            Driver::LinuxBridge(driver) => driver.delete_network(network),
            // A network without ports leaves nothing behind.
            Driver::OpenVswitch(_) => {}
        }
    }

    /// Disconnects a device.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn unplug(&self, device: &str) -> Result<()> {
        match self {
            Driver::LinuxBridge(driver) => driver.unplug(device),
            // A port that the view disowned is put where nothing passes by the next pass.
            Driver::OpenVswitch(_) => Ok(()),
        }
    }

    /// Makes the host like `view` says, once it has taken in `messages` about forwarding.
    ///
    /// # Errors
    /// When ports cannot be protected or the host not be read; then nothing was wired.
    pub fn apply(&mut self, view: &mut View, messages: &[FdbMessage]) -> Result<Wired> {
        match self {
            Driver::LinuxBridge(driver) => driver.apply(view, messages),
            Driver::OpenVswitch(driver) => driver.apply(view, messages),
        }
    }
}
