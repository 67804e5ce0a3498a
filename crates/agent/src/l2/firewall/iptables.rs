//! The rim of the filters that iptables makes: chains, sets and connections of a host, read and changed.

use host::ipset::{self, Sets};
use host::iptables::{Family, Iptables, Table};
use host::sysctl::{self, Setting};
use host::{Error, Netns, Result, conntrack};

use super::{Style, Zones, cuts, filters};
use crate::l2::extension::{Extension, extend};
use crate::l2::view::{Security, View};

/// Filters with what is remembered of the host.
#[derive(Debug)]
pub struct IptablesFirewall {
    ns: Netns,
    style: Style,
    iptables: Iptables,
    zones: Option<Zones>,
    sets: Option<Sets>,
}

impl IptablesFirewall {
    /// For the host `ns`, whose bridged packets go through iptables from now on.
    ///
    /// # Errors
    /// When the kernel cannot filter bridged packets.
    pub fn open(ns: &Netns, style: Style) -> Result<IptablesFirewall> {
        filter_bridges(ns)?;
        Ok(IptablesFirewall { ns: ns.clone(), style, iptables: Iptables::new(ns), zones: None, sets: None })
    }

    /// Forgets what is installed, so that the next [`IptablesFirewall::apply`] finds what others changed.
    pub fn forget(&mut self) {
        self.iptables.forget();
        self.sets = None;
    }

    /// Filters the ports of `view`, whose names are those of their taps. With `before` known, connections are cut
    /// that are no longer allowed.
    ///
    /// # Errors
    /// When the host cannot be read, or filters not be installed.
    pub fn apply(&mut self, view: &View, before: Option<&Security>, extensions: &[Extension]) -> Result<()> {
        let ports = || view.ports.iter().map(|(device, port)| (device.as_str(), port.network_id.as_str()));
        let mut zones = self.zones.clone().map_or_else(|| self.installed_zones(), Ok)?;
        zones.ensure(ports());
        let mut filters = filters(view, &zones, &self.style);
        extend(extensions, view, &mut filters.rules);
        let installed = match self.sets.take() {
            Some(sets) => sets,
            None => ipset::list(&self.ns)?,
        };
        ipset::apply(&self.ns, &filters.sets, &installed)?;
        self.iptables.apply(&filters.rules)?;
        let cuts = before.map(|before| cuts(before, &view.security, &zones));
        // The rules stand whatever becomes of these two: no reason to undo the pass.
        if let Err(error) = conntrack::delete(&self.ns, &cuts.unwrap_or_default()) {
            tracing::error!(%error, "connections that are no longer allowed could not be cut");
        }
        if let Err(error) = ipset::destroy(&self.ns, &filters.sets, &installed) {
            tracing::warn!(%error, "sets that are no longer needed could not be removed");
        }
        self.zones = Some(zones.keep(ports()));
        self.sets = Some(filters.sets);
        Ok(())
    }

    fn installed_zones(&mut self) -> Result<Zones> {
        let wrapped = self.style.binary.get(..16).unwrap_or(&self.style.binary);
        let chain = format!("{wrapped}-PREROUTING");
        let raw = self.iptables.installed(Family::V4)?.get(&Table::Raw);
        let rules = raw.and_then(|table| table.0.get(&chain)).map(Vec::as_slice).unwrap_or_default();
        Ok(Zones::installed(self.style.plug, rules.iter()))
    }
}

/// Whether ip6tables of the host `ns` can look into packets at any place (`u32`); the module is loaded if there is one.
#[must_use]
pub fn looks_into_packets(ns: &Netns) -> bool {
    // Names of what the kernel's tables can match, one a line; no file, no tables yet.
    let knows = || std::fs::read_to_string("/proc/thread-self/net/ip6_tables_matches").unwrap_or_default();
    let there = || ns.run(|| knows().lines().any(|name| name == "u32")).unwrap_or(false);
    // A kernel without modules has no modprobe: what counts is the second look.
    if there() || (host::exec::run_any(ns, "modprobe", &["-q", "xt_u32"], "").is_ok() && there()) {
        return true;
    }
    tracing::warn!(
        "the kernel has no xt_u32: instances on this host can claim others' IPv6 addresses by neighbour advertisements; \
         load the module and start the agent anew"
    );
    false
}

/// Makes bridged packets go through iptables; without that, security groups would be a pretence.
fn filter_bridges(ns: &Netns) -> Result<()> {
    let key = |proto: &str| Setting::new(format!("net/bridge/bridge-nf-call-{proto}tables"), 1);
    sysctl::set(ns, &[key("arp"), key("ip"), key("ip6")]).map(drop).map_err(|e| {
        Error::Odd(format!(
            "security groups need the kernel module br_netfilter ({e}); load it or set firewall_driver"
        ))
    })
}
