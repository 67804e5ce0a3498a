//! Serving a network on this host: the namespace, the lease file, dnsmasq. Everything here may block.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use host::daemon::{self, ConfigFile, Outcome, Reload};
use host::dhcp_release::{Release, parse_client_id, release};
use host::{Error, Netns, Result};
use model::dhcp::{DhcpPort, NetworkInfo};

use super::desired::{DNSMASQ, Served, desired, namespace_name};
use super::files::{lease_file, stale_leases};
use super::options::Options;
use crate::netns::apply::Host;

const LEASE_FILE_MODE: u32 = 0o644;
/// Prefixes of the devices that are removed with a namespace.
const OWNED: [&str; 2] = ["ns-", "tap"];

/// Makes what serves `network` as it should be; returns it and whether anything was changed.
///
/// # Errors
/// When the kernel refuses something or dnsmasq does not start.
pub fn serve(
    host: &mut Host,
    network: &NetworkInfo,
    port: &DhcpPort,
    options: &Options,
) -> Result<(Served, Netns, bool)> {
    let directory = options.dhcp_confs.join(&network.id);
    let old_host_file = fs::read_to_string(directory.join("host")).unwrap_or_default();
    // Whatever else comes of it, the folder shows later that something may be left of the network.
    fs::create_dir_all(&directory).map_err(|e| Error::io(format!("making {}", directory.display()), e))?;
    let mut served = desired(network, port, options, &old_host_file);
    let report = host.reconcile(&served.namespace)?;
    let ns = Netns::open(&served.namespace.name)?;
    if let Some(log) = options.dnsmasq_base_log_dir.as_ref().map(|base| base.join(&network.id)) {
        fs::create_dir_all(&log).map_err(|e| Error::io(format!("making {}", log.display()), e))?;
    }
    let leases = fs::read_to_string(&served.lease_file).unwrap_or_default();
    let (stale4, stale6): (Vec<_>, Vec<_>) =
        stale_leases(network, &leases).into_iter().partition(|lease| lease.address.is_ipv4());
    if !stale6.is_empty() {
        served.dnsmasq.reload = Reload::Restart;
    }
    if !stale4.is_empty() && served.dnsmasq.reload == Reload::HangUp {
        let releases: Vec<Release> = stale4
            .iter()
            .filter_map(|lease| {
                let IpAddr::V4(address) = lease.address else { return None };
                let server = server_for(network, port, lease.address)?;
                let client_id = parse_client_id(lease.client_id);
                Some(Release { address, mac: lease.mac.parse().ok()?, client_id, server })
            })
            .collect();
        release(&ns, &served.interface, &releases)?;
    }
    let mut write_leases = || -> Result<()> {
        let existing = fs::read_to_string(&served.lease_file).unwrap_or_default();
        let text = lease_file(network, &existing);
        daemon::write_file(&ConfigFile { path: served.lease_file.clone(), text, mode: LEASE_FILE_MODE })?;
        Ok(())
    };
    let outcome = daemon::ensure(&ns, &served.dnsmasq, &mut write_leases)?;
    if outcome != Outcome::Unchanged {
        tracing::info!(network_id = network.id, "dnsmasq of network {}: {outcome:?}", network.id);
    }
    let changed = report.changes > 0 || outcome != Outcome::Unchanged;
    Ok((served, ns, changed))
}

/// Our address on the subnet that an address is from.
fn server_for(network: &NetworkInfo, port: &DhcpPort, address: IpAddr) -> Option<std::net::Ipv4Addr> {
    let subnet = network.subnets.iter().find(|subnet| subnet.cidr.contains(&address))?;
    port.fixed_ips.iter().find(|fixed_ip| fixed_ip.subnet_id == subnet.id).and_then(|fixed_ip| match fixed_ip
        .ip_address
    {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    })
}

/// Takes everything away that served a network.
///
/// # Errors
/// When dnsmasq cannot be ended or the kernel refuses.
pub fn remove(host: &mut Host, network_id: &str, options: &Options) -> Result<()> {
    let directory = options.dhcp_confs.join(network_id);
    daemon::stop(&directory.join("pid"), DNSMASQ)?;
    host.remove(&namespace_name(network_id), &OWNED)?;
    match fs::remove_dir_all(&directory) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io(format!("removing {}", directory.display()), e)),
    }
}

/// The networks that were served here at some time: each has a directory.
pub fn existing(options: &Options) -> Vec<String> {
    let Ok(entries) = fs::read_dir(&options.dhcp_confs) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| uuid::Uuid::parse_str(name).is_ok()).collect()
}

/// Whether any user may read below `path`: every directory on the way lets others through.
pub fn is_public(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let open = |path: &Path| fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o001 != 0);
    path.ancestors().filter(|path| path.exists()).all(open)
}
