//! What the switch's database says, as far as it concerns us: read from the copy that the client keeps.

use std::collections::{BTreeMap, BTreeSet};

use ovs::ovsdb::replica::Watch;
use ovs::ovsdb::value::{integer, text};
use ovs::ovsdb::{Replica, Row, Value};
use uuid::Uuid;

use super::DEAD_VLAN;

/// What is watched. Counters are not: they change all the time.
pub const WATCHES: &[Watch] = &[
    Watch { table: "Open_vSwitch", columns: &["bridges", "cur_cfg", "next_cfg", "datapath_types"] },
    Watch {
        table: "Bridge",
        columns: &["name", "ports", "datapath_type", "fail_mode", "protocols", "other_config", "controller"],
    },
    Watch { table: "Port", columns: &["name", "interfaces", "tag", "vlan_mode", "trunks", "other_config"] },
    Watch { table: "Interface", columns: &["name", "type", "ofport", "options", "external_ids", "error"] },
];

/// The key of an interface's `external_ids` that says which port it is.
const IFACE_ID: &str = "iface-id";

/// The bridges, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// By name.
    pub bridges: BTreeMap<String, Bridge>,
}

/// A bridge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bridge {
    /// Its row.
    pub id: Uuid,
    /// `system`, `netdev`
    pub datapath_type: String,
    /// Without a controller it does only what its flows say.
    pub secure: bool,
    /// It has a controller, if only one that is never there.
    pub controlled: bool,
    /// `OpenFlow13` …; none: all that the switch knows.
    pub protocols: BTreeSet<String>,
    /// `mac-table-size` …
    pub other_config: BTreeMap<String, String>,
    /// By name.
    pub ports: BTreeMap<String, Port>,
}

/// A port with its interface; those with several (bonds) are as their first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Port {
    /// Its row.
    pub id: Uuid,
    /// Its local VLAN.
    pub tag: Option<u16>,
    /// It is a plain access port: no mode, no trunk.
    pub plain: bool,
    /// What agents noted about its network.
    pub other_config: BTreeMap<String, String>,
    /// Its interface's row.
    pub interface: Uuid,
    /// `internal`, `patch`, `gre` …; empty: a device of the system.
    pub kind: String,
    /// `peer`, `remote_ip` …
    pub options: BTreeMap<String, String>,
    /// Its number, once the switch has it.
    pub ofport: Option<u32>,
    /// The Neutron port it is, if it is one.
    pub iface_id: Option<String>,
    /// What is wrong with it.
    pub error: String,
}

impl Port {
    /// Whether it was put where nothing passes.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.tag == Some(DEAD_VLAN)
    }
}

fn pairs(row: &Row, column: &str) -> BTreeMap<String, String> {
    let pairs = row.get(column).into_iter().flat_map(Value::pairs);
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Reads them.
#[must_use]
pub fn facts(copy: &Replica) -> Facts {
    let bridges = copy.rows("Bridge").map(|(id, row)| (text(row, "name").to_owned(), bridge(copy, id, row)));
    Facts { bridges: bridges.collect() }
}

/// Whether the switch has yet to do what was asked for.
#[must_use]
pub fn is_behind(copy: &Replica) -> bool {
    let root = copy.rows("Open_vSwitch").next().map(|(_, row)| row);
    let number = |column| root.and_then(|row| integer(row, column)).unwrap_or_default();
    number("cur_cfg") < number("next_cfg")
}

fn bridge(copy: &Replica, id: Uuid, row: &Row) -> Bridge {
    let ports = row.get("ports").into_iter().flat_map(Value::uuids).filter_map(|id| {
        let row = copy.row("Port", id)?;
        Some((text(row, "name").to_owned(), port(copy, id, row)))
    });
    Bridge {
        id,
        datapath_type: text(row, "datapath_type").to_owned(),
        secure: text(row, "fail_mode") == "secure",
        controlled: row.get("controller").is_some_and(|all| all.uuids().next().is_some()),
        protocols: row.get("protocols").into_iter().flat_map(Value::texts).map(str::to_owned).collect(),
        other_config: pairs(row, "other_config"),
        ports: ports.collect(),
    }
}

fn port(copy: &Replica, id: Uuid, row: &Row) -> Port {
    let interface = row.get("interfaces").into_iter().flat_map(Value::uuids).next().unwrap_or_default();
    let empty = Row::new();
    let details = copy.row("Interface", interface).unwrap_or(&empty);
    let trunks = row.get("trunks").is_some_and(|trunks| trunks.atoms().next().is_some());
    Port {
        id,
        tag: integer(row, "tag").and_then(|tag| u16::try_from(tag).ok()),
        plain: text(row, "vlan_mode").is_empty() && !trunks,
        other_config: pairs(row, "other_config"),
        interface,
        kind: text(details, "type").to_owned(),
        options: pairs(details, "options"),
        // A port that could not be opened has -1.
        ofport: integer(details, "ofport").and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0),
        iface_id: details.get("external_ids").and_then(|ids| ids.get(IFACE_ID)).map(str::to_owned),
        error: text(details, "error").to_owned(),
    }
}

impl Facts {
    /// The Neutron ports on a bridge, by their ids.
    pub fn devices<'a>(&'a self, bridge: &str) -> impl Iterator<Item = (&'a str, &'a str, &'a Port)> {
        let ports = self.bridges.get(bridge).into_iter().flat_map(|bridge| &bridge.ports);
        ports.filter_map(|(name, port)| Some((port.iface_id.as_deref()?, name.as_str(), port)))
    }

    /// The number of a port of a bridge.
    #[must_use]
    pub fn ofport(&self, bridge: &str, port: &str) -> Option<u32> {
        self.bridges.get(bridge)?.ports.get(port)?.ofport
    }
}
