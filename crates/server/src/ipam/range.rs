//! Ranges of addresses, and what of them is free. Pure: numbers in, numbers out.

use ipnet::IpNet;
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address as a number that keeps its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    /// 4 or 6.
    pub version: u8,
    /// The address; 32 bits of it in version 4.
    pub value: u128,
}

impl From<IpAddr> for Number {
    fn from(address: IpAddr) -> Number {
        match address {
            IpAddr::V4(v4) => Number { version: 4, value: u128::from(u32::from(v4)) },
            IpAddr::V6(v6) => Number { version: 6, value: u128::from(v6) },
        }
    }
}

impl From<Number> for IpAddr {
    fn from(number: Number) -> IpAddr {
        match number.version {
            4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number.value).unwrap_or(u32::MAX))),
            _ => IpAddr::V6(Ipv6Addr::from(number.value)),
        }
    }
}

impl Number {
    /// The next higher address; none where there is no higher number.
    pub fn above(self) -> Option<Number> {
        Some(Number { value: self.value.checked_add(1)?, ..self })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}

/// Addresses from the first to the last, both included, of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The lowest address.
    pub first: Number,
    /// The highest address.
    pub last: Number,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl Range {
    /// From one address to another; none where they are of two versions or in the wrong order.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Range> {
        let (first, last) = (Number::from(first), Number::from(last));
        (first.version == last.version && first <= last).then_some(Range { first, last })
    }

    /// All addresses of a network, its own and the broadcast address included.
    pub fn of(net: &IpNet) -> Range {
        Range { first: net.network().into(), last: net.broadcast().into() }
    }

    /// Whether an address is in it.
    pub fn contains(&self, number: Number) -> bool {
        number.version == self.first.version && self.first <= number && number <= self.last
    }

    /// Whether any address is in both.
    pub fn overlaps(&self, other: &Range) -> bool {
        self.first.version == other.first.version && self.first <= other.last && other.first <= self.last
    }

    /// How many addresses it has; the whole of IPv6 counts one less.
    pub fn size(&self) -> u128 {
        (self.last.value - self.first.value).saturating_add(1)
    }
}

/// The addresses that ports may have: from [`usable_bounds`], without the gateway. Upstream's default pools.
pub fn default_pools(net: &IpNet, gateway: Option<IpAddr>) -> Vec<Range> {
    let bounds = usable_bounds(net);
    let Some(gateway) = gateway.map(Number::from).filter(|g| bounds.contains(*g)) else {
        return vec![bounds];
    };
    if bounds.first == bounds.last && Range::of(net) == bounds {
        // A single address is kept even where it is the gateway's.
        return vec![bounds];
    }
    let step = |number: Number, by: i8| Number {
        value: if by < 0 { number.value.wrapping_sub(1) } else { number.value.wrapping_add(1) },
        ..number
    };
    let mut pools = Vec::new();
    if gateway > bounds.first {
        pools.push(Range { first: bounds.first, last: step(gateway, -1) });
    }
    if gateway < bounds.last {
        pools.push(Range { first: step(gateway, 1), last: bounds.last });
    }
    pools
}

/// What of a network may be in allocation pools: not its own address, and in IPv4 not the broadcast address,
/// unless it is a /31 or /32.
pub fn usable_bounds(net: &IpNet) -> Range {
    let mut range = Range::of(net);
    match net {
        IpNet::V4(v4) if v4.prefix_len() <= 30 => {
            range.first.value += 1;
            range.last.value -= 1;
        }
        IpNet::V4(_) => {}
        IpNet::V6(v6) if v6.prefix_len() < 128 => range.first.value += 1,
        IpNet::V6(_) => {}
    }
    range
}

/// The lowest free addresses of some pools at or above `from`, at most `most` of them. `taken` holds every
/// address that is in use.
pub fn free(pools: &[Range], taken: &BTreeSet<Number>, from: Option<Number>, most: usize) -> Vec<Number> {
    let mut found = Vec::new();
    let mut sorted: Vec<Range> = pools.to_vec();
    sorted.sort_by_key(|p| p.first);
    for pool in sorted {
        let mut number = from.map_or(pool.first, |f| f.max(pool.first));
        while found.len() < most && pool.contains(number) {
            if !taken.contains(&number) {
                found.push(number);
            }
            match number.above() {
                Some(above) => number = above,
                None => break,
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools(cidr: &str, gateway: &str) -> String {
        let pools = default_pools(&cidr.parse().unwrap(), gateway.parse().ok());
        pools.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn default_pools_leave_out_what_no_port_may_have() {
        let cases = [
            ("10.0.0.0/24", "10.0.0.1", "10.0.0.2-10.0.0.254"),
            ("10.0.1.0/24", "10.0.1.254", "10.0.1.1-10.0.1.253"),
            ("10.0.2.0/24", "", "10.0.2.1-10.0.2.254"),
            ("10.0.2.0/24", "10.0.2.9", "10.0.2.1-10.0.2.8 10.0.2.10-10.0.2.254"),
            ("10.0.2.0/24", "192.168.0.1", "10.0.2.1-10.0.2.254"),
            ("10.0.5.0/30", "10.0.5.1", "10.0.5.2-10.0.5.2"),
            ("10.0.6.0/31", "10.0.6.1", "10.0.6.0-10.0.6.0"),
            ("10.0.6.7/32", "10.0.6.7", "10.0.6.7-10.0.6.7"),
            ("fd00::/64", "fd00::", "fd00::1-fd00::ffff:ffff:ffff:ffff"),
            ("fd00::/64", "fd00::1", "fd00::2-fd00::ffff:ffff:ffff:ffff"),
            ("fd00::5/128", "", "fd00::5-fd00::5"),
        ];
        for (cidr, gateway, expected) in cases {
            assert_eq!(pools(cidr, gateway), expected, "{cidr} {gateway}");
        }
    }

    #[test]
    fn the_lowest_free_addresses_come_first() {
        let ip = |text: &str| Number::from(text.parse::<IpAddr>().unwrap());
        let range = |a: &str, b: &str| Range::new(a.parse().unwrap(), b.parse().unwrap()).unwrap();
        let pools = [range("10.0.0.100", "10.0.0.101"), range("10.0.0.10", "10.0.0.12")];
        let taken: BTreeSet<_> = [ip("10.0.0.10"), ip("10.0.0.12")].into();
        let show =
            |from, most| free(&pools, &taken, from, most).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(show(None, 9), ["10.0.0.11", "10.0.0.100", "10.0.0.101"]);
        assert_eq!(show(None, 1), ["10.0.0.11"]);
        assert_eq!(show(Some(ip("10.0.0.12")), 9), ["10.0.0.100", "10.0.0.101"]);
        assert_eq!(show(Some(ip("10.0.0.102")), 9), [] as [&str; 0]);
        let all = [range("ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")];
        let from = Some(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
        assert_eq!(free(&all, &taken, from, 9).len(), 1, "the end of the numbers is an end");
    }
}
