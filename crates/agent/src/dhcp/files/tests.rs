//! The files against those that Neutron 29's own agent writes for the same network, and leases.

use std::collections::BTreeMap;
use std::path::Path;

use model::dhcp::NetworkInfo;

use super::super::desired::desired;
use super::super::options::Options;
use super::{lease_file, stale_leases};

fn network() -> NetworkInfo {
    serde_json::from_str(include_str!("../samples/network.json")).unwrap()
}

/// All that is written for the sample network, in the layout of the recorded samples.
fn written(options: &Options) -> String {
    let network = network();
    let port = network.ports.iter().find(|port| port.device_id == "dhcp-a").unwrap().clone();
    let served = desired(&network, &port, options, "");
    let files: BTreeMap<String, &str> = served
        .dnsmasq
        .files
        .iter()
        .map(|file| (file.path.file_name().unwrap().to_string_lossy().into_owned(), file.text.as_str()))
        .collect();
    assert_eq!(files["interface"], "ns-bbbbbbbb-00");
    let leases = lease_file(&network, "");
    let parts = [("host", files["host"]), ("addn_hosts", files["addn_hosts"]), ("opts", files["opts"])];
    let parts = parts.into_iter().chain([("leases", leases.as_str())]);
    let files: String = parts.map(|(name, text)| format!("== {name}\n{text}\n")).collect();
    format!("{files}== argv\n{}\n", served.dnsmasq.argv.join("\n"))
}

#[test]
fn a_network_is_written_as_neutron_writes_it() {
    let options = Options::new("net1", Path::new("/s"));
    assert_eq!(written(&options), include_str!("../samples/plain.txt"));
}

#[test]
fn isolated_subnets_get_a_route_to_the_metadata() {
    let mut options = Options::new("net1", Path::new("/s"));
    options.enable_isolated_metadata = true;
    options.dnsmasq_enable_addr6_list = true;
    assert_eq!(written(&options), include_str!("../samples/isolated-metadata.txt"));
}

const LEASES: &str = "1700000000 fa:16:3e:00:00:01 10.1.0.11 * 01:fa:16:3e:00:00:01
1700000000 fa:16:3e:00:00:99 10.1.0.12 * *
1700000000 fa:16:3e:00:00:88 10.1.0.88 host *
duid 00:01:00:01
1700000000 33554434 2001:db8:1::12 host 00:01:00:01:aa
1700000000 33554435 2001:db8:1::99 host 00:01:00:01:bb
what is this
";

#[test]
fn leases_without_a_port_are_stale() {
    let stale: Vec<String> =
        stale_leases(&network(), LEASES).iter().map(|lease| lease.address.to_string()).collect();
    // Another client has the address of a port; two addresses have no port.
    assert_eq!(stale, ["10.1.0.12", "10.1.0.88", "2001:db8:1::99"]);
}

#[test]
fn a_new_lease_file_keeps_what_is_known_of_ipv6() {
    let text = lease_file(&network(), LEASES);
    assert!(text.starts_with("duid 00:01:00:01\n0 fa:16:3e:00:00:01 10.1.0.11 * *\n"));
    assert!(text.contains("1700000000 33554434 2001:db8:1::12 host 00:01:00:01:aa\n"));
    assert!(!text.contains("2001:db8:1::99") && !text.contains("10.1.0.88"));
}

#[test]
fn users_write_no_lines_of_their_own() {
    let mut network = network();
    for port in &mut network.ports {
        for opt in &mut port.extra_dhcp_opts {
            opt.opt_value = Some("x\nfa:16:3e:66:66:66,evil,10.1.0.66".to_owned());
            opt.opt_name.push_str("\nevil");
        }
    }
    network.ports[0].extra_dhcp_opts = network.ports[2].extra_dhcp_opts.clone();
    network.ports[0].extra_dhcp_opts[0].opt_name = "client-id".to_owned();
    let options = Options::new("net1", Path::new("/s"));
    let text = super::host_file(&network, &options) + &super::opts_file(&network, &BTreeMap::new(), &options);
    assert!(text.contains("id:x,") && !text.contains("evil"), "{text}");
}
