//! Addresses: pools, what is free, who has what.

pub mod plan;
pub mod prefixes;
pub mod range;
pub mod take;

use range::Number;
use std::collections::HashMap;
use std::sync::Mutex;

/// Where to look first for a free address of a subnet. Only a saving: the database decides, and a hint that
/// is wrong (another server gave an address back) costs a full look, never an address.
#[derive(Debug, Default)]
pub struct Hints(Mutex<HashMap<String, Hint>>);

/// What is remembered of a subnet.
#[derive(Debug, Clone, PartialEq)]
pub struct Hint {
    /// The row of `ipamsubnets` that belongs to the subnet: it never changes.
    pub ipam_subnet_id: String,
    /// Lower addresses are probably taken.
    pub from: Option<Number>,
}

/// Subnets remembered; beyond, everything is forgotten and learnt anew.
const SUBNETS_MAX: usize = 10_000;

impl Hints {
    /// What is known of a subnet.
    pub fn get(&self, subnet_id: &str) -> Option<Hint> {
        self.0.lock().ok()?.get(subnet_id).cloned()
    }

    /// Remembers.
    pub fn put(&self, subnet_id: &str, hint: Hint) {
        if let Ok(mut hints) = self.0.lock() {
            if hints.len() >= SUBNETS_MAX {
                hints.clear();
            }
            hints.insert(subnet_id.to_string(), hint);
        }
    }

    /// An address is free again.
    pub fn freed(&self, subnet_id: &str, address: Number) {
        if let Ok(mut hints) = self.0.lock()
            && let Some(hint) = hints.get_mut(subnet_id)
            && hint.from.is_some_and(|from| address < from)
        {
            hint.from = Some(address);
        }
    }

    /// The subnet is gone, or its pools changed.
    pub fn forget(&self, subnet_id: &str) {
        if let Ok(mut hints) = self.0.lock() {
            hints.remove(subnet_id);
        }
    }
}
