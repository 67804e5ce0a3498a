//! What ML2 reads from its configuration, checked once at start.

use crate::ml2::segment::Kind;
use std::collections::BTreeMap;

oslo::options! {
    /// `[ml2]`: drivers, network types, sizes.
    pub struct Ml2Options in "ml2" {
        /// Network types that can be made.
        type_drivers: Vec<String> = ["local", "flat", "vlan", "gre", "vxlan", "geneve"].map(String::from).to_vec();
        /// Types of a project's network, tried in this order.
        project_network_types: Vec<String> = vec!["local".into()], was [("ml2", "tenant_network_types")];
        /// Drivers that bind ports, asked in this order.
        mechanism_drivers: Vec<String> = vec![];
        /// Extensions of networks, subnets and ports: port_security, dns, dns_domain_ports.
        extension_drivers: Vec<String> = vec![];
        /// Type of an external network made without provider attributes; empty means as for any project.
        external_network_type: Option<String> = None;
        /// Greatest size in bytes of an IP packet that the overlay's way carries; 0 means as the physical network.
        path_mtu: u32 = 0;
        /// MTU by physical network where it differs from global_physnet_mtu: physnet1:9000.
        physical_network_mtus: BTreeMap<String, String> = BTreeMap::new();
        /// IP version of the overlay's endpoints, 4 or 6.
        overlay_ip_version: u16 = 4;
    }
}

oslo::options! {
    /// `[ml2_type_flat]`
    pub struct FlatOptions in "ml2_type_flat" {
        /// Physical networks that flat networks may use; * means any, empty none.
        flat_networks: Vec<String> = vec!["*".into()];
    }
}

oslo::options! {
    /// `[ml2_type_vlan]`
    pub struct VlanOptions in "ml2_type_vlan" {
        /// Physical networks that VLAN networks may use, with the VLAN ids that projects get: physnet1:100:199.
        network_vlan_ranges: Vec<String> = vec![];
    }
}

oslo::options! {
    /// `[ml2_type_gre]`
    pub struct GreOptions in "ml2_type_gre" {
        /// Tunnel ids that projects get: 1:1000.
        tunnel_id_ranges: Vec<String> = vec![];
    }
}

oslo::options! {
    /// `[ml2_type_vxlan]`
    pub struct VxlanOptions in "ml2_type_vxlan" {
        /// VNIs that projects get: 65537:69999.
        vni_ranges: Vec<String> = vec![];
    }
}

oslo::options! {
    /// `[ml2_type_geneve]`
    pub struct GeneveOptions in "ml2_type_geneve" {
        /// VNIs that projects get.
        vni_ranges: Vec<String> = vec![];
        /// Bytes that the encapsulation takes at most.
        max_header_size: u32 = 30;
    }
}

oslo::options! {
    /// `[securitygroup]`, the server's part.
    pub struct SecurityGroupOptions in "securitygroup" {
        /// Whether ports are filtered at all.
        enable_security_group: bool = true;
    }
}

oslo::options! {
    /// `[DEFAULT]`: networks, subnets and ports.
    pub struct CoreOptions in "DEFAULT" {
        /// First three bytes (or four, where the fourth is not 00) of the MAC addresses that ports get.
        base_mac: String = "fa:16:3e:00:00:00".into();
        /// Name servers a subnet may have.
        max_dns_nameservers: usize = 5;
        /// Routes a subnet may have.
        max_subnet_host_routes: usize = 20;
        /// Allowed address pairs a port may have.
        max_allowed_address_pair: usize = 10;
        /// Domain of the instances' names.
        dns_domain: String = "openstacklocal".into();
        /// MTU of the physical networks in bytes.
        global_physnet_mtu: u32 = 1500, was [("ml2", "segment_mtu")];
    }
}

/// All that ML2 knows from its configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Ml2 {
    /// `[DEFAULT]`
    pub core: CoreOptions,
    /// Types that can be made.
    pub types: Vec<Kind>,
    /// Types of a project's network, in order.
    pub project_types: Vec<Kind>,
    /// Type of an external network made without provider attributes.
    pub external_type: Option<Kind>,
    /// Drivers that bind ports, in order.
    pub mechanisms: Vec<crate::ml2::mech::Mechanism>,
    /// Whether the overlay's MTU is bounded by more than the physical network, in bytes; 0 = no.
    pub path_mtu: u32,
    /// MTU by physical network, in bytes.
    pub physical_mtus: BTreeMap<String, u32>,
    /// IP version of the overlay.
    pub overlay_ip_version: u16,
    /// Physical networks of flat networks; none = any.
    pub flat: Option<Vec<String>>,
    /// Physical networks of VLAN networks in the order of the configuration, with the ids that projects get.
    pub vlan: Vec<(String, Vec<(i64, i64)>)>,
    /// Tunnel ids that projects get.
    pub gre: Vec<(i64, i64)>,
    /// VNIs that projects get.
    pub vxlan: Vec<(i64, i64)>,
    /// VNIs that projects get.
    pub geneve: Vec<(i64, i64)>,
    /// Bytes that Geneve takes.
    pub geneve_header: u32,
    /// Whether ports are filtered.
    pub port_filter: bool,
    /// `[ml2] extension_drivers`, as given.
    pub extension_drivers: Vec<String>,
}

/// The groups of options as they are read.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// `[DEFAULT]`
    pub core: CoreOptions,
    /// `[ml2]`
    pub ml2: Ml2Options,
    /// `[ml2_type_flat]`
    pub flat: FlatOptions,
    /// `[ml2_type_vlan]`
    pub vlan: VlanOptions,
    /// `[ml2_type_gre]`
    pub gre: GreOptions,
    /// `[ml2_type_vxlan]`
    pub vxlan: VxlanOptions,
    /// `[ml2_type_geneve]`
    pub geneve: GeneveOptions,
    /// `[securitygroup]`
    pub securitygroup: SecurityGroupOptions,
}

impl Groups {
    /// Reads all groups.
    pub fn load(config: &oslo::config::Config) -> Result<Groups, oslo::config::Problem> {
        Ok(Groups {
            core: CoreOptions::load(config)?,
            ml2: Ml2Options::load(config)?,
            flat: FlatOptions::load(config)?,
            vlan: VlanOptions::load(config)?,
            gre: GreOptions::load(config)?,
            vxlan: VxlanOptions::load(config)?,
            geneve: GeneveOptions::load(config)?,
            securitygroup: SecurityGroupOptions::load(config)?,
        })
    }

    /// All options as declared, for samples and reviews.
    pub fn declared() -> Vec<oslo::config::Opt> {
        [
            CoreOptions::declared(),
            Ml2Options::declared(),
            FlatOptions::declared(),
            VlanOptions::declared(),
            GreOptions::declared(),
            VxlanOptions::declared(),
            GeneveOptions::declared(),
            SecurityGroupOptions::declared(),
        ]
        .concat()
    }
}

impl Default for Ml2 {
    /// What an empty configuration says.
    fn default() -> Ml2 {
        let core = CoreOptions::default();
        Ml2 {
            core,
            types: Kind::ALL.to_vec(),
            project_types: vec![Kind::Local],
            external_type: None,
            mechanisms: Vec::new(),
            path_mtu: 0,
            physical_mtus: BTreeMap::new(),
            overlay_ip_version: 4,
            flat: None,
            vlan: Vec::new(),
            gre: Vec::new(),
            vxlan: Vec::new(),
            geneve: Vec::new(),
            geneve_header: 30,
            port_filter: true,
            extension_drivers: Vec::new(),
        }
    }
}

impl Ml2 {
    /// Makes sense of the options; a value that has none is an error that names the option.
    pub fn new(groups: Groups) -> Result<Ml2, String> {
        let kinds = |option: &str, names: &[String]| {
            let kind =
                |n: &String| Kind::parse(n).ok_or_else(|| format!("[ml2] {option}: no network type {n}"));
            names.iter().map(kind).collect::<Result<Vec<_>, _>>()
        };
        let types = kinds("type_drivers", &groups.ml2.type_drivers)?;
        let project_types = kinds("project_network_types", &groups.ml2.project_network_types)?;
        let external = groups.ml2.external_network_type.clone();
        let external_type = kinds("external_network_type", external.as_slice())?.pop();
        if let Some(missing) = project_types.iter().chain(&external_type).find(|k| !types.contains(k)) {
            return Err(format!("[ml2] type_drivers lacks {}", missing.name()));
        }
        let mtu = |(name, mtu): (&String, &String)| match mtu.trim().parse() {
            Ok(mtu) => Ok((name.clone(), mtu)),
            Err(_) => Err(format!("[ml2] physical_network_mtus: {mtu} is no MTU")),
        };
        let mechanism = |n: &String| {
            crate::ml2::mech::Mechanism::parse(n)
                .ok_or_else(|| format!("[ml2] mechanism_drivers: no driver {n}"))
        };
        let flat = groups.flat.flat_networks;
        Ok(Ml2 {
            core: groups.core,
            types,
            project_types,
            external_type,
            mechanisms: groups.ml2.mechanism_drivers.iter().map(mechanism).collect::<Result<_, _>>()?,
            path_mtu: groups.ml2.path_mtu,
            physical_mtus: groups.ml2.physical_network_mtus.iter().map(mtu).collect::<Result<_, _>>()?,
            overlay_ip_version: groups.ml2.overlay_ip_version,
            flat: (!flat.iter().any(|n| n == "*")).then_some(flat),
            vlan: vlan_ranges(&groups.vlan.network_vlan_ranges)?,
            gre: id_ranges("[ml2_type_gre] tunnel_id_ranges", &groups.gre.tunnel_id_ranges, u32::MAX.into())?,
            vxlan: id_ranges("[ml2_type_vxlan] vni_ranges", &groups.vxlan.vni_ranges, VNI_MAX)?,
            geneve: id_ranges("[ml2_type_geneve] vni_ranges", &groups.geneve.vni_ranges, VNI_MAX)?,
            geneve_header: groups.geneve.max_header_size,
            port_filter: groups.securitygroup.enable_security_group,
            extension_drivers: groups.ml2.extension_drivers,
        })
    }
}

/// The greatest VXLAN or Geneve network identifier.
const VNI_MAX: i64 = (1 << 24) - 1;
/// The greatest VLAN id.
pub(super) const VLAN_MAX: i64 = 4094;

fn bounds(option: &str, entry: &str, low: &str, high: &str, max: i64) -> Result<(i64, i64), String> {
    match (low.trim().parse::<i64>(), high.trim().parse::<i64>()) {
        (Ok(low), Ok(high)) if 1 <= low && low <= high && high <= max => Ok((low, high)),
        _ => Err(format!("{option}: {entry} is no range of numbers from 1 to {max}")),
    }
}

fn id_ranges(option: &str, entries: &[String], max: i64) -> Result<Vec<(i64, i64)>, String> {
    let range = |entry: &String| match entry.split_once(':') {
        Some((low, high)) => bounds(option, entry, low, high, max),
        None => Err(format!("{option}: {entry} is no range such as 1:1000")),
    };
    entries.iter().map(range).collect()
}

type VlanRanges = Vec<(String, Vec<(i64, i64)>)>;

fn vlan_ranges(entries: &[String]) -> Result<VlanRanges, String> {
    let option = "[ml2_type_vlan] network_vlan_ranges";
    let mut networks: VlanRanges = Vec::new();
    for entry in entries {
        let parts: Vec<&str> = entry.trim().split(':').collect();
        let (name, range) = match parts[..] {
            [name] if !name.is_empty() => (name, (1, VLAN_MAX)),
            [name, low, high] if !name.is_empty() => (name, bounds(option, entry, low, high, VLAN_MAX)?),
            _ => return Err(format!("{option}: {entry} is not of the form physnet1 or physnet1:100:199")),
        };
        match networks.iter_mut().find(|(n, _)| n == name) {
            Some((_, ranges)) => ranges.push(range),
            None => networks.push((name.to_string(), vec![range])),
        }
    }
    Ok(networks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vlans(entries: &[&str]) -> Result<VlanRanges, String> {
        vlan_ranges(&entries.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn vlan_ranges_are_read_in_order() {
        let two = vlans(&["public", "physnet1:100:199", "physnet1:300:399"]).unwrap();
        assert_eq!(
            two,
            [("public".to_string(), vec![(1, 4094)]), ("physnet1".to_string(), vec![(100, 199), (300, 399)])]
        );
        for bad in ["", ":1:2", "p:1", "p:0:5", "p:9:5", "p:1:4095", "p:a:b"] {
            assert!(vlans(&[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        let mut groups = Groups::default();
        assert_eq!(Ml2::new(groups.clone()), Ok(Ml2::default()));
        groups.ml2.project_network_types = vec!["vxlan".into()];
        groups.ml2.type_drivers = vec!["flat".into()];
        assert_eq!(Ml2::new(groups.clone()).unwrap_err(), "[ml2] type_drivers lacks vxlan");
        groups.ml2.type_drivers = vec!["vxlam".into()];
        assert_eq!(Ml2::new(groups).unwrap_err(), "[ml2] type_drivers: no network type vxlam");
    }
}
