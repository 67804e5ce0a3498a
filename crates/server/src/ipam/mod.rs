//! Addresses: pools, what is free, who has what.

pub mod plan;
pub mod prefixes;
pub mod range;
pub mod take;

use range::{Number, Range};
use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

/// Where free addresses of a subnet probably are. Only a saving: the database decides, and what is wrong here
/// (another server took or gave back an address) costs a look at the table, never an address.
#[derive(Debug, Default)]
pub struct Hints(Mutex<HashMap<String, Hint>>);

/// What is remembered of a subnet.
#[derive(Debug, Clone, PartialEq, Default)]
struct Hint {
    /// The row of `ipamsubnets` that belongs to the subnet: it never changes.
    ipam_subnet_id: String,
    /// Nobody was seen to have this address or a higher one; none = not looked yet.
    next: Option<Number>,
    /// Lower addresses that were given back.
    freed: Vec<Number>,
}

/// Subnets remembered; beyond, everything is forgotten and learnt anew.
const SUBNETS_MAX: usize = 10_000;
/// Addresses given back that are remembered per subnet.
const FREED_MAX: usize = 64;

impl Hints {
    /// The row of `ipamsubnets` that belongs to a subnet, where it is remembered.
    pub fn ipam_subnet(&self, subnet_id: &str) -> Option<String> {
        self.0.lock().ok()?.get(subnet_id).map(|hint| hint.ipam_subnet_id.clone())
    }

    /// Remembers the row of `ipamsubnets`.
    pub fn learn(&self, subnet_id: &str, ipam_subnet_id: &str) {
        if let Ok(mut hints) = self.0.lock() {
            if hints.len() >= SUBNETS_MAX {
                hints.clear();
            }
            let hint = Hint { ipam_subnet_id: ipam_subnet_id.to_string(), ..Hint::default() };
            hints.insert(subnet_id.to_string(), hint);
        }
    }

    /// An address of the pools that is probably free, promised to nobody else in this process.
    pub fn promise(&self, subnet_id: &str, pools: &[Range]) -> Option<Number> {
        let mut hints = self.0.lock().ok()?;
        let hint = hints.get_mut(subnet_id)?;
        while let Some(number) = hint.freed.pop() {
            if pools.iter().any(|pool| pool.contains(number)) {
                return Some(number);
            }
        }
        let number = range::free(pools, &BTreeSet::new(), Some(hint.next?), 1).first().copied()?;
        hint.next = number.above();
        Some(number)
    }

    /// Every lower address was seen to be taken, and this one is being taken.
    pub fn looked(&self, subnet_id: &str, taken: Number) {
        if let Ok(mut hints) = self.0.lock()
            && let Some(hint) = hints.get_mut(subnet_id)
        {
            hint.next = taken.above();
        }
    }

    /// An address is free again.
    pub fn freed(&self, subnet_id: &str, address: Number) {
        if let Ok(mut hints) = self.0.lock()
            && let Some(hint) = hints.get_mut(subnet_id)
            && hint.freed.len() < FREED_MAX
            && hint.next.is_some_and(|next| address < next)
            && !hint.freed.contains(&address)
        {
            hint.freed.push(address);
        }
    }

    /// The subnet is gone, or its pools changed.
    pub fn forget(&self, subnet_id: &str) {
        if let Ok(mut hints) = self.0.lock() {
            hints.remove(subnet_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_promised_once_and_those_given_back_first() {
        let number = |text: &str| Number::from(text.parse::<std::net::IpAddr>().unwrap());
        let pools = [Range { first: number("10.0.0.2"), last: number("10.0.0.5") }];
        let hints = Hints::default();
        assert_eq!(hints.promise("s", &pools), None, "nothing is known");
        hints.learn("s", "i");
        assert_eq!(hints.promise("s", &pools), None, "nobody has looked");
        hints.looked("s", number("10.0.0.2"));
        assert_eq!(hints.promise("s", &pools), Some(number("10.0.0.3")));
        hints.freed("s", number("10.0.0.2"));
        hints.freed("s", number("10.0.0.9"));
        assert_eq!(hints.promise("s", &pools), Some(number("10.0.0.2")));
        assert_eq!(hints.promise("s", &pools), Some(number("10.0.0.4")));
        assert_eq!(hints.promise("s", &pools), Some(number("10.0.0.5")));
        assert_eq!(hints.promise("s", &pools), None, "the end is no proof that none is free");
    }
}
