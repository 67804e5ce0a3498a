//! What the server said, as far as it concerns this host.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use model::Mac;
use model::l2::{
    DeviceDetails, FdbEntries, FdbPort, FdbUpdate, Members, SecuredPort, SecurityGroupInfo, SecurityRule,
};

/// The agent's knowledge. Everything on the host follows from it and the configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Ports wired here, by device name.
    pub ports: BTreeMap<String, DeviceDetails>,
    /// What filters are made of.
    pub security: Security,
    /// Where ports of tunnelled networks are, by network id; only networks that have a port here.
    pub fdb: BTreeMap<String, FdbTable>,
    /// Tunnel addresses of all hosts by type of tunnel, for agents without l2population.
    pub tunnels: BTreeMap<String, BTreeSet<IpAddr>>,
    /// Devices that the server said are no ports of this host.
    pub disowned: BTreeSet<String>,
}

/// Ports, groups and members.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Security {
    /// Ports that security groups apply to, by device name.
    pub ports: BTreeMap<String, SecuredPort>,
    /// Rules by group.
    pub groups: BTreeMap<String, Vec<SecurityRule>>,
    /// Members by group or address group.
    pub members: BTreeMap<String, Members>,
}

/// Where a network's frames go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FdbTable {
    /// Hosts that get frames for everybody.
    pub flood: BTreeSet<IpAddr>,
    /// The host of each address.
    pub macs: BTreeMap<Mac, IpAddr>,
    /// Hardware address of each address, for ARP.
    pub neighbours: BTreeMap<IpAddr, Mac>,
}

impl FdbTable {
    fn add(&mut self, host: IpAddr, FdbPort(mac, ip): FdbPort) {
        if mac == Mac::ZERO {
            self.flood.insert(host);
        } else {
            self.macs.insert(mac, host);
            self.neighbours.insert(ip, mac);
        }
    }

    fn remove(&mut self, host: IpAddr, FdbPort(mac, ip): FdbPort) {
        if mac == Mac::ZERO {
            self.flood.remove(&host);
            return;
        }
        if self.macs.get(&mac) == Some(&host) {
            self.macs.remove(&mac);
        }
        // The port may have moved: then its address belongs to the new place already.
        if self.neighbours.get(&ip) == Some(&mac) && !self.macs.contains_key(&mac) {
            self.neighbours.remove(&ip);
        }
    }
}

/// A message about forwarding, in the order they came.
#[derive(Debug, Clone, PartialEq)]
pub enum FdbMessage {
    /// `add_fdb_entries`
    Add(FdbEntries),
    /// `remove_fdb_entries`
    Remove(FdbEntries),
    /// `update_fdb_entries`
    Update(FdbUpdate),
}

/// `tunnel_update` and `tunnel_delete`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelMessage {
    /// `gre`, `vxlan`, `geneve`
    pub tunnel_type: String,
    /// The host's address.
    pub tunnel_ip: IpAddr,
    /// It is no more.
    pub gone: bool,
}

impl View {
    /// Takes a port out, with all that is known about its filter.
    pub fn remove_port(&mut self, device: &str) {
        self.ports.remove(device);
        self.security.ports.remove(device);
    }

    /// Takes a port out that the server said is none of this host's.
    pub fn disown(&mut self, device: &str) {
        self.remove_port(device);
        self.disowned.insert(device.to_owned());
    }

    /// Takes in that a host has a tunnel's end, or no longer.
    pub fn learn_tunnel(&mut self, message: &TunnelMessage) {
        let hosts = self.tunnels.entry(message.tunnel_type.clone()).or_default();
        if message.gone {
            hosts.remove(&message.tunnel_ip);
        } else {
            hosts.insert(message.tunnel_ip);
        }
    }

    /// The ids of the networks that have a port here.
    #[must_use]
    pub fn networks(&self) -> BTreeSet<&str> {
        self.ports.values().map(|port| port.network_id.as_str()).collect()
    }

    /// Takes in what the server said about the filters of `asked` devices. Those it said nothing
    /// about have none. `device` names a port's device by its id: the name in the answer is as the server likes
    /// it.
    pub fn learn_security(&mut self, asked: &[String], info: SecurityGroupInfo, device: fn(&str) -> String) {
        for device in asked {
            self.security.ports.remove(device);
        }
        for (port_id, port) in info.devices {
            self.security.ports.insert(device(&port_id), port);
        }
        self.security.groups.extend(info.security_groups);
        self.security.members.extend(info.sg_member_ips);
    }

    /// Devices whose filters depend on one of these groups: being in it, or referring to it.
    #[must_use]
    pub fn affected_by(&self, groups: &BTreeSet<String>) -> BTreeSet<String> {
        let concerned = |port: &SecuredPort| {
            let refers = |group: &String| {
                let rules = self.security.groups.get(group).map(Vec::as_slice).unwrap_or_default();
                let remote =
                    |rule: &SecurityRule| rule.remote_group_id.as_ref().is_some_and(|g| groups.contains(g));
                groups.contains(group) || rules.iter().any(remote)
            };
            port.security_groups.iter().any(refers)
                || port.security_group_source_groups.iter().any(|group| groups.contains(group))
        };
        let ports = self.security.ports.iter().filter(|(_, port)| concerned(port));
        ports.map(|(device, _)| device.clone()).collect()
    }

    /// Forgets groups, members and forwarding entries that nothing here refers to any more.
    pub fn tidy(&mut self) {
        let used: BTreeSet<&String> = self.security.ports.values().flat_map(|p| &p.security_groups).collect();
        self.security.groups.retain(|group, _| used.contains(group));
        let remote: BTreeSet<&String> =
            self.security.groups.values().flatten().filter_map(remote_of).collect();
        self.security.members.retain(|group, _| remote.contains(group));
        let networks: BTreeSet<&str> = self.ports.values().map(|port| port.network_id.as_str()).collect();
        self.fdb.retain(|network, _| networks.contains(network.as_str()));
    }

    /// Takes in a message about forwarding. Entries of this host itself (`local_ip`) and of
    /// networks without a port here are passed over.
    pub fn learn_fdb(&mut self, message: &FdbMessage, local_ip: IpAddr) {
        let networks: BTreeSet<String> = self.networks().into_iter().map(str::to_owned).collect();
        let mut table = |network: &String| {
            networks.contains(network).then(|| std::mem::take(self.fdb.entry(network.clone()).or_default()))
        };
        let mut changed = Vec::new();
        match message {
            FdbMessage::Add(entries) | FdbMessage::Remove(entries) => {
                for (network, entry) in entries {
                    let Some(mut now) = table(network) else { continue };
                    for (host, ports) in entry.ports.iter().filter(|(host, _)| **host != local_ip) {
                        for port in ports {
                            match message {
                                FdbMessage::Add(_) => now.add(*host, *port),
                                FdbMessage::Remove(_) | FdbMessage::Update(_) => now.remove(*host, *port),
                            }
                        }
                    }
                    changed.push((network.clone(), now));
                }
            }
            FdbMessage::Update(update) => {
                for (network, hosts) in &update.chg_ip {
                    let Some(mut now) = table(network) else { continue };
                    for change in
                        hosts.iter().filter(|(host, _)| **host != local_ip).map(|(_, change)| change)
                    {
                        now.neighbours.retain(|ip, mac| !change.before.contains(&FdbPort(*mac, *ip)));
                        now.neighbours.extend(change.after.iter().map(|FdbPort(mac, ip)| (*ip, *mac)));
                    }
                    changed.push((network.clone(), now));
                }
            }
        }
        self.fdb.extend(changed);
    }
}

/// The group or address group a rule refers to.
#[must_use]
pub fn remote_of(rule: &SecurityRule) -> Option<&String> {
    rule.remote_group_id.as_ref().or(rule.remote_address_group_id.as_ref())
}
