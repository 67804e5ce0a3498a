//! The decisions of l2population as functions of what is wired where.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The entry that makes an agent flood a network to a tunnel end.
const FLOODING: [&str; 2] = ["00:00:00:00:00:00", "0.0.0.0"];
/// With so many active ports a host may still be new on a network: two may have become active at once.
const FIRST_PORTS_MAX: usize = 2;

/// A host's tunnel end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tunnel {
    /// Its address.
    pub(super) ip: String,
    types: Vec<String>,
}

impl Tunnel {
    /// From an agent's configurations; none where it has no tunnels.
    pub(super) fn read(configurations: &Value) -> Option<Tunnel> {
        let ip = configurations.get("tunneling_ip")?.as_str().filter(|ip| !ip.is_empty())?;
        let list = |key: &str| configurations.get(key).and_then(Value::as_array);
        let types = list("l2pop_network_types").or_else(|| list("tunnel_types"));
        let types = types.into_iter().flatten().filter_map(Value::as_str).map(str::to_string);
        Some(Tunnel { ip: ip.to_string(), types: types.collect() })
    }

    /// Whether networks of a type go through it.
    pub(super) fn carries(&self, network_type: &str) -> bool {
        self.types.iter().any(|known| known == network_type)
    }
}

/// A port on a host.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wired {
    pub(super) port: String,
    pub(super) network: String,
    pub(super) mac: String,
    pub(super) active: bool,
    pub(super) host: String,
    pub(super) network_type: String,
    pub(super) segmentation_id: Option<i64>,
    pub(super) addresses: Vec<String>,
}

impl Wired {
    fn entries(&self) -> impl Iterator<Item = [String; 2]> {
        self.addresses.iter().map(|ip| [self.mac.clone(), ip.clone()])
    }
}

/// What is known of some networks.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) ports: Vec<Wired>,
    pub(super) tunnels: BTreeMap<String, Tunnel>,
}

impl View {
    fn active_on(&self, network: &str, host: &str) -> usize {
        self.ports.iter().filter(|p| p.active && p.network == network && p.host == host).count()
    }
}

/// The entries of one network: by tunnel end.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Network {
    network_type: String,
    segmentation_id: Option<i64>,
    ports: BTreeMap<String, Vec<[String; 2]>>,
}

/// Entries by network.
pub(super) type Fdb = BTreeMap<String, Network>;

/// Entries as they travel.
pub(super) fn shown(fdb: &Fdb) -> Value {
    let network = |n: &Network| json!({"segment_id": n.segmentation_id, "network_type": n.network_type, "ports": n.ports});
    fdb.iter().map(|(id, n)| (id.clone(), network(n))).collect::<Map<_, _>>().into()
}

/// Who is told what of newly wired ports.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    pub(super) to_host: Fdb,
    pub(super) to_all: Fdb,
}

fn network_of<'a>(fdb: &'a mut Fdb, port: &Wired) -> &'a mut Network {
    fdb.entry(port.network.clone()).or_insert_with(|| Network {
        network_type: port.network_type.clone(),
        segmentation_id: port.segmentation_id,
        ports: BTreeMap::new(),
    })
}

fn flooding() -> [String; 2] {
    FLOODING.map(str::to_string)
}

/// Ports are wired on `host`.
pub(super) fn wired(view: &View, host: &str, ports: &[String], refresh: bool) -> Told {
    let mut told = Told::default();
    let Some(tunnel) = view.tunnels.get(host) else { return told };
    let ours = view.ports.iter().filter(|p| p.host == host && ports.contains(&p.port));
    for port in ours.filter(|p| tunnel.carries(&p.network_type)) {
        let first = (1..=FIRST_PORTS_MAX).contains(&view.active_on(&port.network, host));
        let entries = network_of(&mut told.to_all, port).ports.entry(tunnel.ip.clone()).or_default();
        if first || refresh {
            if !entries.contains(&flooding()) {
                entries.insert(0, flooding());
            }
            if !told.to_host.contains_key(&port.network) {
                others(view, host, port, &mut told.to_host);
            }
        }
        entries.extend(port.entries());
    }
    told.to_host.retain(|_, network| !network.ports.is_empty());
    told
}

/// Everything active on the other hosts of a port's network.
fn others(view: &View, host: &str, port: &Wired, fdb: &mut Fdb) {
    let network = network_of(fdb, port);
    let theirs = view.ports.iter().filter(|p| p.active && p.network == port.network && p.host != host);
    for other in theirs {
        let Some(tunnel) = view.tunnels.get(&other.host) else { continue };
        let entries = network.ports.entry(tunnel.ip.clone()).or_insert_with(|| vec![flooding()]);
        entries.extend(other.entries());
    }
}

/// A port is no longer wired where it was.
pub(super) fn unwired(view: &View, port: &Wired) -> Fdb {
    let mut fdb = Fdb::new();
    let Some(tunnel) = view.tunnels.get(&port.host) else { return fdb };
    let entries = network_of(&mut fdb, port).ports.entry(tunnel.ip.clone()).or_default();
    if view.active_on(&port.network, &port.host) == 0 {
        entries.push(flooding());
    }
    entries.extend(port.entries());
    fdb
}

/// A port has other addresses: what went and what came; none where the same.
pub(super) fn moved(mac: &str, old: &[String], new: &[String]) -> Option<Value> {
    let without = |these: &[String], those: &[String]| -> Vec<[String; 2]> {
        let left = these.iter().filter(|ip| !those.contains(ip));
        left.map(|ip| [mac.to_string(), ip.clone()]).collect()
    };
    let mut change = Map::new();
    for (name, list) in [("before", without(old, new)), ("after", without(new, old))] {
        if !list.is_empty() {
            change.insert(name.into(), json!(list));
        }
    }
    (!change.is_empty()).then_some(Value::Object(change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn port(id: &str, host: &str, active: bool) -> Wired {
        Wired {
            port: id.into(),
            network: "n".into(),
            mac: format!("mac-{id}"),
            active,
            host: host.into(),
            network_type: "vxlan".into(),
            segmentation_id: Some(7),
            addresses: vec![format!("ip-{id}")],
        }
    }

    fn view(ports: &[Wired]) -> View {
        let tunnel = |host: &str, ip: &str| {
            let configurations = json!({"tunneling_ip": ip, "tunnel_types": ["vxlan"]});
            Some((host.to_string(), Tunnel::read(&configurations)?))
        };
        let tunnels = [tunnel("one", "10.0.0.1"), tunnel("two", "10.0.0.2")];
        View { ports: ports.to_vec(), tunnels: tunnels.into_iter().flatten().collect() }
    }

    #[test]
    fn who_hears_of_a_wired_port() {
        let brief = |fdb: &Fdb| shown(fdb).pointer("/n/ports").map_or("-".into(), Value::to_string);
        let check = |ports: &[Wired], refresh: bool, expected: Expect| {
            let told = wired(&view(ports), "one", &["a".to_string()], refresh);
            expected.assert_eq(&format!("host {}\nall {}", brief(&told.to_host), brief(&told.to_all)));
        };
        // Not ACTIVE yet: the entry alone.
        check(
            &[port("a", "one", false), port("x", "two", true)],
            false,
            expect![[r#"
            host -
            all {"10.0.0.1":[["mac-a","ip-a"]]}"#]],
        );
        // The first on its host.
        check(
            &[port("a", "one", true), port("x", "two", true), port("y", "two", false)],
            false,
            expect![[r#"
            host {"10.0.0.2":[["00:00:00:00:00:00","0.0.0.0"],["mac-x","ip-x"]]}
            all {"10.0.0.1":[["00:00:00:00:00:00","0.0.0.0"],["mac-a","ip-a"]]}"#]],
        );
        // Alone in the world.
        check(
            &[port("a", "one", true)],
            false,
            expect![[r#"
            host -
            all {"10.0.0.1":[["00:00:00:00:00:00","0.0.0.0"],["mac-a","ip-a"]]}"#]],
        );
        // The third.
        let three =
            [port("a", "one", true), port("b", "one", true), port("c", "one", true), port("x", "two", true)];
        check(
            &three,
            false,
            expect![[r#"
            host -
            all {"10.0.0.1":[["mac-a","ip-a"]]}"#]],
        );
        // The third, of an agent that lost what it knew.
        check(
            &three,
            true,
            expect![[r#"
            host {"10.0.0.2":[["00:00:00:00:00:00","0.0.0.0"],["mac-x","ip-x"]]}
            all {"10.0.0.1":[["00:00:00:00:00:00","0.0.0.0"],["mac-a","ip-a"]]}"#]],
        );
        // A network of a type that the agent has no tunnels for.
        check(
            &[Wired { network_type: "vlan".into(), ..port("a", "one", true) }],
            true,
            expect![[r#"
            host -
            all -"#]],
        );
    }

    #[test]
    fn the_last_port_takes_the_flooding_along() {
        let brief = |ports: &[Wired]| {
            shown(&unwired(&view(ports), &port("a", "one", false))).pointer("/n/ports").unwrap().to_string()
        };
        expect![[r#"{"10.0.0.1":[["00:00:00:00:00:00","0.0.0.0"],["mac-a","ip-a"]]}"#]]
            .assert_eq(&brief(&[port("x", "two", true)]));
        expect![[r#"{"10.0.0.1":[["mac-a","ip-a"]]}"#]].assert_eq(&brief(&[port("b", "one", true)]));
    }

    #[test]
    fn addresses_that_went_and_came() {
        let texts = |list: &[&str]| list.iter().map(|t| (*t).to_string()).collect::<Vec<_>>();
        let check = |old: &[&str], new: &[&str]| moved("m", &texts(old), &texts(new)).map(|v| v.to_string());
        assert_eq!(check(&["1", "2"], &["2", "3"]).unwrap(), r#"{"before":[["m","1"]],"after":[["m","3"]]}"#);
        assert_eq!(check(&["1"], &["1", "2"]).unwrap(), r#"{"after":[["m","2"]]}"#);
        assert_eq!(check(&["1"], &["1"]), None);
    }
}
