//! IP protocols as security group rules name them: names, numbers, and which names mean the same.

/// Names of IP protocols with their numbers, in the order in which upstream lists them to clients.
pub const PROTOCOLS: [(&str, u8); 25] = [
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ip", 0),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
    ("vrrp", 112),
];

/// ICMP for IPv4.
pub const ICMP: u8 = 1;
/// ICMP for IPv6.
pub const ICMP_V6: u8 = 58;

/// Protocols with ports, as messages list them.
pub const WITH_PORTS: [(&str, u8); 5] =
    [("DCCP", 33), ("SCTP", 132), ("TCP", 6), ("UDP", 17), ("UDPLITE", 136)];

/// Protocols that make no sense in IPv4.
const ONLY_V6: [u8; 6] = [41, 43, 44, 58, 59, 60];

/// The number of a protocol given by name or number; none for a name that nobody knows.
pub fn number(protocol: &str) -> Option<u8> {
    let named = PROTOCOLS.iter().find(|(name, _)| *name == protocol).map(|(_, number)| *number);
    named.or_else(|| protocol.parse().ok())
}

/// Whether a protocol, by name or number, belongs to IPv6 alone.
///
/// `ipv6-encap` … by name and number; `0` (`hopopt`) belongs to both.
pub fn only_v6(protocol: &str) -> bool {
    number(protocol).is_some_and(|number| ONLY_V6.contains(&number))
}

/// One spelling for all that mean the same, to compare rules: ICMP's names and number become those of
/// ICMPv6 in IPv6 rules, and numbers stand for names.
pub fn canonical(protocol: &str, ethertype: &str) -> String {
    match number(protocol) {
        Some(ICMP) if ethertype == "IPv6" => ICMP_V6.to_string(),
        Some(number) => number.to_string(),
        None => protocol.to_string(),
    }
}

/// The names and nothing, as upstream's messages print them: a Python tuple.
pub fn supported() -> String {
    let names: Vec<String> = PROTOCOLS.iter().map(|(name, _)| format!("'{name}'")).collect();
    format!("(None, 'any', {})", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_compare_by_number() {
        let same = [
            ("tcp", "6", "IPv4"),
            ("icmp", "58", "IPv6"),
            ("1", "ipv6-icmp", "IPv6"),
            ("ip", "hopopt", "IPv4"),
        ];
        for (one, other, ethertype) in same {
            assert_eq!(canonical(one, ethertype), canonical(other, ethertype), "{one} and {other}");
        }
        assert_ne!(canonical("icmp", "IPv4"), canonical("icmpv6", "IPv4"));
    }

    #[test]
    fn some_protocols_are_ipv6_alone() {
        assert!(["ipv6-icmp", "icmpv6", "43", "ipv6-opts"].into_iter().all(only_v6));
        assert!(!["icmp", "tcp", "0", "hopopt", "255"].into_iter().any(only_v6));
    }
}
