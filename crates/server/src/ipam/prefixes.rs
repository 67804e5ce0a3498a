//! Sets of prefixes: what a subnet pool has, what of it is allocated, what is left. Pure.

use crate::fault::Fault;
use crate::ipam::range::{Number, Range};
use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use std::net::IpAddr;

/// The fewest prefixes that hold the same addresses, in order.
pub fn compact(prefixes: &[IpNet]) -> Vec<IpNet> {
    to_prefixes(&merged(prefixes))
}

fn merged(prefixes: &[IpNet]) -> Vec<Range> {
    let mut ranges: Vec<Range> = prefixes.iter().map(|p| Range::of(&p.trunc())).collect();
    ranges.sort_by_key(|r| r.first);
    let mut merged: Vec<Range> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last)
                if last.first.version == range.first.version
                    && range.first.value <= last.last.value.saturating_add(1) =>
            {
                last.last = last.last.max(range.last);
            }
            _ => merged.push(range),
        }
    }
    merged
}

fn to_prefixes(ranges: &[Range]) -> Vec<IpNet> {
    let mut prefixes = Vec::new();
    for range in ranges {
        match (IpAddr::from(range.first), IpAddr::from(range.last)) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                prefixes.extend(Ipv4Subnets::new(first, last, 0).map(IpNet::V4));
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                prefixes.extend(Ipv6Subnets::new(first, last, 0).map(IpNet::V6));
            }
            _ => {}
        }
    }
    prefixes
}

/// What is in one set and not in the other, as the fewest prefixes in order.
pub fn subtract(from: &[IpNet], less: &[IpNet]) -> Vec<IpNet> {
    let less = merged(less);
    let mut left = Vec::new();
    for range in merged(from) {
        let mut first = Some(range.first);
        for gone in less.iter().filter(|gone| gone.overlaps(&range)) {
            let Some(from) = first else { break };
            if gone.first > from {
                let last = Number { value: gone.first.value - 1, ..from };
                left.push(Range { first: from, last });
            }
            first = gone.last.value.checked_add(1).map(|value| Number { value, ..from });
        }
        if let Some(first) = first.filter(|first| *first <= range.last) {
            left.push(Range { first, last: range.last });
        }
    }
    to_prefixes(&left)
}

/// Whether any address is in both.
pub fn overlap(a: &[IpNet], b: &[IpNet]) -> bool {
    a.iter().any(|a| b.iter().any(|b| Range::of(&a.trunc()).overlaps(&Range::of(&b.trunc()))))
}

/// Whether every address of the one set is in the other.
pub fn is_within(some: &[IpNet], all: &[IpNet]) -> bool {
    subtract(some, all).is_empty()
}

/// The first subnet of a length in what is left: the smallest prefix that has room gives it.
pub fn first_free(available: &[IpNet], prefixlen: u8) -> Result<IpNet, Fault> {
    let mut sorted: Vec<&IpNet> = available.iter().collect();
    sorted.sort_by_key(|p| std::cmp::Reverse(p.prefix_len()));
    let found = sorted.into_iter().find(|p| p.prefix_len() <= prefixlen);
    let net = found.and_then(|p| IpNet::new(p.network(), prefixlen).ok());
    net.ok_or_else(|| Fault::SubnetAllocationError {
        reason: format!("Insufficient prefix space to allocate subnet size /{prefixlen}"),
    })
}

/// How many quota units a prefix takes: addresses in IPv4, /64s in IPv6.
pub fn units(prefix: &IpNet) -> f64 {
    let unit = if matches!(prefix, IpNet::V4(_)) { 32 } else { 64 };
    2f64.powi(unit - i32::from(prefix.prefix_len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(text: &str) -> Vec<IpNet> {
        text.split_whitespace().map(|n| n.parse().unwrap()).collect()
    }

    fn show(nets: &[IpNet]) -> String {
        nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn sets_of_prefixes_are_kept_small() {
        assert_eq!(show(&compact(&nets("10.0.1.0/24 10.0.0.0/24 10.0.0.0/25"))), "10.0.0.0/23");
        assert_eq!(show(&compact(&nets("fd00:0:1::/48 fd00::/48"))), "fd00::/47");
        let cases = [
            ("10.0.0.0/24", "10.0.0.0/26", "10.0.0.64/26 10.0.0.128/25"),
            ("10.0.0.0/24", "10.0.0.0/8", ""),
            (
                "10.0.0.0/30 10.9.0.0/30",
                "10.0.0.1/32 10.9.0.3/32",
                "10.0.0.0/32 10.0.0.2/31 10.9.0.0/31 10.9.0.2/32",
            ),
            ("::/0", "::/1", "8000::/1"),
            ("::/0", "8000::/1", "::/1"),
        ];
        for (from, less, left) in cases {
            assert_eq!(show(&subtract(&nets(from), &nets(less))), left, "{from} - {less}");
        }
        assert!(is_within(&nets("10.0.0.0/25"), &nets("10.0.0.0/24")));
        assert!(overlap(&nets("10.0.0.0/25"), &nets("10.0.0.64/26")));
    }

    #[test]
    fn the_smallest_prefix_with_room_gives_a_subnet() {
        let free = |available: &str, length| match first_free(&nets(available), length) {
            Ok(net) => net.to_string(),
            Err(fault) => fault.to_string(),
        };
        assert_eq!(free("10.0.0.0/16 10.9.0.0/24", 25), "10.9.0.0/25");
        assert_eq!(free("10.0.0.0/16 10.9.0.0/24", 20), "10.0.0.0/20");
        assert_eq!(
            free("10.0.0.0/24", 20),
            "Failed to allocate subnet: Insufficient prefix space to allocate subnet size /20."
        );
    }
}
