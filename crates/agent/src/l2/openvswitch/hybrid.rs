//! Filters by iptables for ports of Open vSwitch. The switch's packets never pass iptables; therefore Nova, told so
//! by the port's binding, plugs an instance's `tap…` into a bridge `qbr…` of its own, which a pair `qvb…`/`qvo…`
//! joins to the switch. We filter on that bridge.

use host::{Netns, Result, sysctl};
use model::names;

use super::BINARY;
use super::config::OvsConfig;
use crate::l2::firewall::{IptablesFirewall, Plug, Style};
use crate::l2::view::{Security, View};

/// The bridges of ports: all of them.
const BRIDGES: &str = "qbr+";

/// The filters, and what they were last made for.
#[derive(Debug)]
pub(super) struct Hybrid {
    firewall: IptablesFirewall,
    filtered: Option<View>,
}

impl Hybrid {
    /// For the host `ns`.
    ///
    /// # Errors
    /// When its kernel cannot filter bridged packets.
    pub(super) fn open(config: &OvsConfig, ns: &Netns) -> Result<Hybrid> {
        let style = Style {
            binary: BINARY.into(),
            comments: config.comment_iptables_rules,
            ipset: config.enable_ipset,
            v6: sysctl::get(ns, "net/ipv6/conf/all/disable_ipv6").is_ok(),
            // The switch's flows look at them.
            looks_into: false,
            plug: Plug::PortBridge,
            bridges: vec![BRIDGES.into()],
        };
        Ok(Hybrid { firewall: IptablesFirewall::open(ns, style)?, filtered: None })
    }

    /// Forgets what is installed, so that the next [`Hybrid::apply`] finds what others changed.
    pub(super) fn forget(&mut self) {
        self.firewall.forget();
        self.filtered = None;
    }

    /// Filters the ports of `view`.
    ///
    /// # Errors
    /// When the host cannot be read, or filters not be installed.
    pub(super) fn apply(&mut self, view: &View) -> Result<()> {
        let wanted = by_tap(view);
        if self.filtered.as_ref() == Some(&wanted) {
            return Ok(());
        }
        let before = self.filtered.take();
        let outcome = self.firewall.apply(&wanted, before.as_ref().map(|before| &before.security), &[]);
        match outcome {
            Ok(()) => self.filtered = Some(wanted),
            Err(_) => self.forget(),
        }
        outcome
    }
}

/// Ports by their taps, and nothing that filters do not look at.
fn by_tap(view: &View) -> View {
    let Security { ports, groups, members } = &view.security;
    let security = Security {
        ports: ports.iter().map(|(id, port)| (names::tap(id), port.clone())).collect(),
        groups: groups.clone(),
        members: members.clone(),
    };
    let ports = view.ports.iter().map(|(id, port)| (names::tap(id), port.clone())).collect();
    View { ports, security, ..View::default() }
}
