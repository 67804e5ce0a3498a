//! Names on the host. They are upstream's, to the letter: Nova, libvirt and operators' scripts
//! count on them, and each agent adopts what the other one made.

/// Bytes that a device's name may have at most.
pub const DEVICE_BYTES_MAX: usize = 15;
/// Bytes of an id that go into a device's name.
const ID_BYTES: usize = 11;
/// Bytes of the hash that stands for a name that is too long.
const HASH_BYTES: usize = 6;
/// Bytes of the longest VLAN suffix, `.4094`.
const VLAN_SUFFIX_BYTES_MAX: usize = 5;

fn device(prefix: &str, id: &str) -> String {
    format!("{prefix}{}", id.get(..ID_BYTES).unwrap_or(id))
}

/// A port's device on the host: `tap` + 11 characters of the port's id.
#[must_use]
pub fn tap(port_id: &str) -> String {
    device("tap", port_id)
}

/// Whether a device's name is one that [`tap`] makes.
#[must_use]
pub fn is_tap(name: &str) -> bool {
    let id = name.strip_prefix("tap").unwrap_or_default();
    id.len() == ID_BYTES && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// A network's bridge: `brq` + 11 characters of the network's id.
#[must_use]
pub fn bridge(network_id: &str) -> String {
    device("brq", network_id)
}

/// What every network's bridge begins with.
pub const BRIDGE_PREFIX: &str = "brq";

/// The device of a VXLAN network: `vxlan-` + its network identifier.
#[must_use]
pub fn vxlan(vni: u32) -> String {
    format!("vxlan-{vni}")
}

/// A router's inner interface, inside its namespace.
#[must_use]
pub fn router_interface(port_id: &str) -> String {
    device("qr-", port_id)
}

/// A router's gateway interface, inside its namespace.
#[must_use]
pub fn router_gateway(port_id: &str) -> String {
    device("qg-", port_id)
}

/// A DHCP port's interface, inside its namespace, when its other end is a tap on a bridge.
#[must_use]
pub fn dhcp_interface(port_id: &str) -> String {
    device("ns-", port_id)
}

/// The namespace of a network's DHCP server.
#[must_use]
pub fn dhcp_namespace(network_id: &str) -> String {
    format!("qdhcp-{network_id}")
}

/// The namespace of a router.
#[must_use]
pub fn router_namespace(router_id: &str) -> String {
    format!("qrouter-{router_id}")
}

/// The VLAN subinterface of a physical interface: `eth0.100`; where that would be too long, four
/// characters of the name and six of its SHA-1 stand for the interface.
#[must_use]
pub fn vlan(physical: &str, vlan_id: u16) -> String {
    let suffix = format!(".{vlan_id}");
    if physical.len() + suffix.len() <= DEVICE_BYTES_MAX {
        return physical.to_owned() + &suffix;
    }
    let room = DEVICE_BYTES_MAX - VLAN_SUFFIX_BYTES_MAX;
    if physical.len() <= room {
        return physical.to_owned() + &suffix;
    }
    let hash: String = sha1(physical.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let (head, hash) = (physical.get(..room - HASH_BYTES), hash.get(..HASH_BYTES));
    format!("{}{}{suffix}", head.unwrap_or(physical), hash.unwrap_or_default())
}

/// The patch port on the integration bridge that leads to a physical network's bridge.
#[must_use]
pub fn integration_patch(bridge: &str) -> String {
    patch("int-", bridge)
}

/// The patch port on a physical network's bridge that leads to the integration bridge.
#[must_use]
pub fn physical_patch(bridge: &str) -> String {
    patch("phy-", bridge)
}

/// A prefix and a bridge's name; where that would be too long, six characters of its SHA-1 stand for the rest.
fn patch(prefix: &str, bridge: &str) -> String {
    let room = DEVICE_BYTES_MAX - prefix.len();
    if bridge.len() <= room {
        return format!("{prefix}{bridge}");
    }
    let hash: String = sha1(bridge.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let (head, hash) = (bridge.get(..room - HASH_BYTES), hash.get(..HASH_BYTES));
    format!("{prefix}{}{}", head.unwrap_or(bridge), hash.unwrap_or_default())
}

/// The tunnel port towards a host: `gre-0a000102`, its address in hexadecimal.
#[must_use]
pub fn tunnel_port(network_type: &str, remote: std::net::Ipv4Addr) -> String {
    format!("{network_type}-{:08x}", u32::from(remote))
}

/// SHA-1 (RFC 3174) of a short name; only a name's fingerprint, nothing rests on its strength.
fn sha1(data: &[u8]) -> [u8; 20] {
    let mut message = data.to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend((data.len() as u64 * 8).to_be_bytes());
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in message.chunks_exact(64) {
        let mut words: Vec<u32> = block
            .chunks_exact(4)
            .map(|b| b.iter().fold(0, |word, byte| (word << 8) | u32::from(*byte)))
            .collect();
        for i in 16..80 {
            let mixed = [3, 8, 14, 16].iter().filter_map(|back| words.get(i - back)).fold(0, |a, b| a ^ b);
            words.push(mixed.rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (i, word) in words.iter().enumerate() {
            let (f, k) = match i {
                0..20 => ((b & c) | (!b & d), 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, value) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(value);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "24191168-b2c0-47d8-aa81-c46ad9bcf7b6";

    #[test]
    fn as_upstream() {
        assert_eq!(tap(ID), "tap24191168-b2");
        assert_eq!(bridge(ID), "brq24191168-b2");
        assert_eq!(router_interface(ID), "qr-24191168-b2");
        assert_eq!(vxlan(100), "vxlan-100");
        assert_eq!(dhcp_namespace(ID), format!("qdhcp-{ID}"));
        assert!(is_tap("tap24191168-b2") && !is_tap("tap0") && !is_tap("vnet24191168") && !is_tap("tapq"));
    }

    #[test]
    fn vlan_subinterfaces() {
        // The last two from neutron.plugins.common.utils.get_interface_name.
        for (physical, id, expected) in [
            ("eth0", 100, "eth0.100"),
            ("eth01234567", 100, "eth01234567.100"),
            ("enp0s31f6", 4094, "enp0s31f6.4094"),
            ("long_interface", 1, "long240ea3.1"),
            ("mix_interface", 1111, "mix_e8ea3e.1111"),
        ] {
            assert_eq!(vlan(physical, id), expected);
        }
    }
}
