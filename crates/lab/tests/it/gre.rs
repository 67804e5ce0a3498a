//! Two hosts with Open vSwitch over GRE, wired by our agents on our server: the Juno guide's cloud.

use lab::cloud::INTERNET;
use lab::instance::Instance;
use lab::users::Users;

use crate::programs;

#[test]
fn instances_on_two_hosts_reach_each_other_over_gre() {
    let site = lab::guide::juno::deploy(&programs()).unwrap();
    let project = site.field(&["net-show", "demo-net"], "tenant_id").unwrap();
    let boot = |name, on| {
        let instance = Instance::boot_on(&site, on, "demo-net", name, &["--tenant-id", &project]).unwrap();
        instance.lease().unwrap_or_else(|why| panic!("{why}\n{}", site.log_end()));
        assert_eq!(instance.card().unwrap()["mtu"], 1454);
        instance
    };
    let (first, second) = (boot("vm1", "network"), boot("vm2", "compute"));
    let told = |why| format!("{why}\n{}", site.log_end());
    first.ping(&second.ipv4()).map_err(told).unwrap();
    second.ping(INTERNET).map_err(told).unwrap();
    // What passes between the hosts is in the tunnel, under the network's number.
    let number = site.field(&["net-show", "demo-net"], "provider:segmentation_id").unwrap();
    let watch = "timeout 10 tcpdump -l -n -v -i eth1 -c 2 'proto gre' >/run/seen 2>/dev/null & sleep 0.5";
    site.compute.sh(watch).unwrap();
    second.ping(&first.ipv4()).unwrap();
    let key = format!("key=0x{:x},", number.parse::<u32>().unwrap());
    let seen = lab::report::within(std::time::Duration::from_secs(5), || {
        let seen = site.compute.run(&["cat", "/run/seen"]).map_err(lab::report::words)?;
        if seen.contains(&key) { Ok(seen) } else { Err(format!("no {key} in {seen}")) }
    });
    seen.unwrap();
}
