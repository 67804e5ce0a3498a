//! MAC addresses: parsed at the door, written in Neutron's form (lower case, colons).

use std::fmt;
use std::str::FromStr;

/// A 48-bit hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Mac(pub [u8; 6]);

/// The text is no MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a valid MAC address")]
pub struct BadMac(pub String);

impl Mac {
    /// All zero: in a forwarding table the entry for frames to everybody.
    pub const ZERO: Mac = Mac([0; 6]);

    /// The lower 64 bits that SLAAC makes of this address (modified EUI-64, RFC 4291).
    #[must_use]
    pub fn eui64(&self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([a ^ 0x02, b, c, 0xff, 0xfe, d, e, f])
    }

    /// The link-local IPv6 address that belongs to this address.
    #[must_use]
    pub fn link_local(&self) -> std::net::Ipv6Addr {
        std::net::Ipv6Addr::from((0xfe80_u128 << 112) | u128::from(self.eui64()))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = BadMac;

    fn from_str(text: &str) -> Result<Self, BadMac> {
        let mut bytes = [0_u8; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte =
                part.and_then(|p| u8::from_str_radix(p, 16).ok()).ok_or_else(|| BadMac(text.to_owned()))?;
        }
        match parts.next() {
            None => Ok(Mac(bytes)),
            Some(_) => Err(BadMac(text.to_owned())),
        }
    }
}

impl serde::Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Mac {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, expected) in [
            ("fa:16:3e:00:00:01", Some("fa:16:3e:00:00:01")),
            ("FA-16-3E-00-00-0A", Some("fa:16:3e:00:00:0a")),
            ("fa:16:3e:00:00", None),
            ("fa:16:3e:00:00:01:02", None),
            ("fa:16:3e:00:00:+1", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Mac>().ok().map(|m| m.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn link_local_is_eui64() {
        let mac: Mac = "fa:16:3e:00:00:01".parse().unwrap();
        assert_eq!(mac.link_local().to_string(), "fe80::f816:3eff:fe00:1");
    }
}
