//! Segments as clients ask for them, against one configuration.

use super::*;
use crate::ml2::options::Groups;
use serde_json::json;

fn ml2() -> Ml2 {
    let mut groups = Groups::default();
    groups.flat.flat_networks = vec!["public".into()];
    groups.vlan.network_vlan_ranges = vec!["public".into(), "physnet1:100:199".into()];
    groups.geneve.max_header_size = 38;
    groups.ml2.physical_network_mtus = [("public".to_string(), "1400".to_string())].into();
    Ml2::new(groups).unwrap()
}

#[test]
fn a_segment_is_refused_in_upstreams_words() {
    let cases = [
        (json!([null, "public", null]), "network_type required"),
        (json!(["nothing", null, null]), "network_type value 'nothing' not supported"),
        (json!(["flat", "unknown", null]), "physical_network 'unknown' unknown for flat provider network"),
        (json!(["flat", null, null]), "physical_network required for flat provider network"),
        (json!(["flat", "public", 5]), "segmentation_id prohibited for flat provider network"),
        (json!(["flat", "public", null]), ""),
        (json!(["vlan", null, 150]), "segmentation_id requires physical_network for VLAN provider network"),
        (json!(["vlan", "nowhere", null]), "physical_network 'nowhere' unknown for VLAN provider network"),
        (json!(["vlan", "physnet1", 0]), "segmentation_id out of range (1 through 4094)"),
        (json!(["vlan", "physnet1", 4095]), "segmentation_id out of range (1 through 4094)"),
        (json!(["vlan", "physnet1", 4094]), ""),
        (json!(["vlan", null, null]), ""),
        (json!(["vxlan", "public", null]), "provider:physical_network specified for vxlan network"),
        (json!(["gre", "public", 7]), "provider:physical_network specified for gre network"),
        (json!(["vxlan", "", 7]), ""),
        (json!(["local", null, 3]), "segmentation_id prohibited for local provider network"),
        (json!(["local", "public", null]), "physical_network prohibited for local provider network"),
        (json!(["local", null, null]), ""),
    ];
    for (case, expected) in cases {
        let read = Wanted::read(&ml2(), case.get(0), case.get(1), case.get(2));
        let said = match read {
            Ok(_) => String::new(),
            Err(Fault::ConvertFailed { error_message }) => error_message,
            Err(other) => other.to_string(),
        };
        assert_eq!(said, expected, "{case}");
    }
}

#[test]
fn a_network_is_as_wide_as_its_narrowest_segment() {
    let segment = |kind, physical: Option<&str>| Wanted {
        kind,
        physical_network: physical.map(str::to_string),
        segmentation_id: None,
    };
    let cases = [
        (vec![segment(Kind::Vxlan, None)], 0, Ok(1450)),
        (vec![segment(Kind::Gre, None)], 0, Ok(1458)),
        (vec![segment(Kind::Geneve, None)], 0, Ok(1442)),
        (vec![segment(Kind::Flat, Some("public"))], 0, Ok(1400)),
        (vec![segment(Kind::Vlan, Some("physnet1"))], 0, Ok(1500)),
        (vec![segment(Kind::Local, None)], 0, Ok(1500)),
        (vec![segment(Kind::Vlan, Some("physnet1")), segment(Kind::Vxlan, None)], 0, Ok(1450)),
        (vec![segment(Kind::Vxlan, None)], 1280, Ok(1280)),
        (vec![segment(Kind::Vxlan, None)], 1451, Err("Requested MTU is too big, maximum is 1450")),
    ];
    for (segments, asked, expected) in cases {
        let mtu = network_mtu(&ml2(), &segments, asked, true);
        assert_eq!(mtu, expected.map_err(invalid), "{segments:?} {asked}");
    }
}
