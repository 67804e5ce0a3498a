//! Carries out the steps of a plan.

use std::collections::BTreeMap;

use host::netlink::{Netlink, NewLink};
use host::sysctl::{self, Setting};
use host::{Error, Result};

use super::plan::{Action, Step};

/// Carries out `steps` and says which networks failed, with the first error of each. `indexes`
/// are the devices that were there when the plan was made.
pub(super) fn apply(
    nl: &Netlink,
    steps: Vec<Step>,
    indexes: BTreeMap<String, u32>,
) -> BTreeMap<String, String> {
    let mut failed = BTreeMap::new();
    let mut hand = Hand { nl, indexes };
    for Step { network, action } in steps {
        if failed.contains_key(&network) {
            continue;
        }
        tracing::debug!(network, ?action, "wiring");
        if let Err(error) = hand.act(&action) {
            failed.insert(network, error.to_string());
        }
    }
    failed
}

struct Hand<'a> {
    nl: &'a Netlink,
    indexes: BTreeMap<String, u32>,
}

impl Hand<'_> {
    fn index(&self, name: &str) -> Result<u32> {
        let index = self.indexes.get(name).copied();
        index.ok_or_else(|| Error::Odd(format!("device {name} is not there")))
    }

    /// Makes a device and learns its number.
    fn add(&mut self, name: &str, new: &NewLink<'_>) -> Result<u32> {
        match self.nl.add_link(name, new) {
            // Nova or another agent was quicker.
            Err(e) if e.is_there() => {}
            outcome => outcome?,
        }
        let index = self.nl.index_of(name)?.ok_or_else(|| Error::Odd(format!("device {name} vanished")))?;
        self.indexes.insert(name.to_owned(), index);
        Ok(index)
    }

    fn silence(&self, name: &str) {
        let key = format!("net/ipv6/conf/{name}/disable_ipv6");
        if let Err(error) = sysctl::set(self.nl.netns(), &[Setting::new(key, 1)]) {
            tracing::debug!(%error, "a host without IPv6");
        }
    }

    fn act(&mut self, action: &Action) -> Result<()> {
        match action {
            Action::AddBridge { name, silent } => {
                let index = self.add(name, &NewLink::Bridge)?;
                if *silent {
                    self.silence(name);
                }
                self.nl.set_up(index, true)
            }
            Action::AddVlan { name, parent, id } => {
                let parent = self.index(parent)?;
                let made = self.add(name, &NewLink::Vlan { parent, id: *id });
                let index = made.map_err(|e| no_vlans(name, e))?;
                self.silence(name);
                self.nl.set_up(index, true)
            }
            Action::AddVxlan { name, parent, spec, mtu } => {
                let mut spec = spec.clone();
                spec.link = Some(self.index(parent)?);
                let index = self.add(name, &NewLink::Vxlan(&spec))?;
                if let Some(mtu) = mtu {
                    self.nl.set_mtu(index, *mtu)?;
                }
                self.silence(name);
                Ok(())
            }
            Action::Delete { name } => match self.indexes.remove(name) {
                Some(index) => self.nl.delete_link(index),
                None => Ok(()),
            },
            Action::SetUp { name, up } => self.nl.set_up(self.index(name)?, *up),
            Action::SetMtu { name, mtu } => self.nl.set_mtu(self.index(name)?, *mtu),
            Action::SetMaster { name, bridge } => {
                let bridge = bridge.as_deref().map(|bridge| self.index(bridge)).transpose()?;
                self.nl.set_master(self.index(name)?, bridge)
            }
            Action::Move { .. } => self.move_belongings(action),
            Action::AddFdb { device, mac, dst } => self.nl.add_fdb(self.index(device)?, *mac, *dst),
            Action::DeleteFdb { device, mac, dst } => self.nl.delete_fdb(self.index(device)?, *mac, *dst),
            Action::AddNeigh { device, ip, mac } => self.nl.replace_neigh(self.index(device)?, *ip, *mac),
            Action::DeleteNeigh { device, ip } => self.nl.delete_neigh(self.index(device)?, *ip, false),
        }
    }

    /// The new owner has the addresses before the old one loses them; the routes that fall with
    /// the old addresses are set again.
    fn move_belongings(&self, action: &Action) -> Result<()> {
        let Action::Move { from, to, enslave, addrs, routes } = action else { return Ok(()) };
        let (from_index, to_index) = (self.index(from)?, self.index(to)?);
        if *enslave {
            // The bridge keeps the interface's hardware address, which the neighbours know.
            let mac = self.nl.links()?.into_iter().find(|l| l.index == from_index).and_then(|l| l.mac);
            if let Some(mac) = mac {
                self.nl.set_mac(to_index, mac)?;
            }
        }
        for net in addrs {
            self.nl.add_addr(to_index, *net, true)?;
        }
        if *enslave {
            self.nl.set_master(from_index, Some(to_index))?;
        } else {
            self.nl.set_master(to_index, None)?;
        }
        for net in addrs {
            self.nl.delete_addr(from_index, *net)?;
        }
        for route in routes {
            let mut route = route.clone();
            self.nl.delete_route(&route)?;
            route.dev = Some(to_index);
            self.nl.replace_route(&route)?;
        }
        Ok(())
    }
}

fn no_vlans(name: &str, error: Error) -> Error {
    if error.is_unsupported() {
        return Error::Odd(format!(
            "cannot make {name}: this kernel has no VLAN subinterfaces (module 8021q)"
        ));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_vlans_is_named() {
        let kernel = |errno| Error::io("making vlan eth1.100", std::io::Error::from_raw_os_error(errno));
        let words = no_vlans("eth1.100", kernel(95)).to_string();
        assert_eq!(words, "cannot make eth1.100: this kernel has no VLAN subinterfaces (module 8021q)");
        assert!(no_vlans("eth1.100", kernel(1)).to_string().contains("making vlan eth1.100"));
    }
}
