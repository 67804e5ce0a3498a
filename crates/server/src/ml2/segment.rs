//! Network types and what a provider segment of each must be: upstream's rules in upstream's words. Pure.

use crate::fault::Fault;
use crate::ml2::options::{Ml2, VLAN_MAX};
use serde_json::Value;

/// A network type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Only on one host.
    Local,
    /// A physical network without a tag.
    Flat,
    /// A tag on a physical network.
    Vlan,
    /// A GRE tunnel id.
    Gre,
    /// A VXLAN network identifier.
    Vxlan,
    /// A Geneve network identifier.
    Geneve,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] = [Kind::Local, Kind::Flat, Kind::Vlan, Kind::Gre, Kind::Vxlan, Kind::Geneve];

    /// Its name in the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Local => "local",
            Kind::Flat => "flat",
            Kind::Vlan => "vlan",
            Kind::Gre => "gre",
            Kind::Vxlan => "vxlan",
            Kind::Geneve => "geneve",
        }
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.name() == name)
    }

    /// Whether it needs no physical network.
    pub fn is_tunnel(self) -> bool {
        match self {
            Kind::Gre | Kind::Vxlan | Kind::Geneve => true,
            Kind::Local | Kind::Flat | Kind::Vlan => false,
        }
    }
}

/// A segment as a client asks for it, or as it was allocated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Its type.
    pub kind: Kind,
    /// The physical network.
    pub physical_network: Option<String>,
    /// VLAN id, tunnel id or VNI.
    pub segmentation_id: Option<i64>,
}

/// What upstream's `InvalidInput` says.
pub fn invalid(error_message: impl Into<String>) -> Fault {
    Fault::ConvertFailed { error_message: error_message.into() }
}

impl Wanted {
    /// A segment from the three provider attributes, checked.
    pub fn read(
        ml2: &Ml2,
        kind: Option<&Value>,
        physical_network: Option<&Value>,
        segmentation_id: Option<&Value>,
    ) -> Result<Wanted, Fault> {
        let Some(kind) = kind.and_then(Value::as_str) else { return Err(invalid("network_type required")) };
        let known = Kind::parse(kind).filter(|k| ml2.types.contains(k));
        let known = known.ok_or_else(|| invalid(format!("network_type value '{kind}' not supported")))?;
        let wanted = Wanted {
            kind: known,
            physical_network: physical_network.and_then(Value::as_str).map(str::to_string),
            segmentation_id: segmentation_id.and_then(Value::as_i64),
        };
        wanted.check(ml2)?;
        Ok(wanted)
    }

    /// Whether the segmentation id is left to us.
    pub fn is_partial(&self) -> bool {
        match self.kind {
            Kind::Local | Kind::Flat => false,
            Kind::Vlan | Kind::Gre | Kind::Vxlan | Kind::Geneve => self.segmentation_id.is_none(),
        }
    }

    /// Upstream treats an empty name and the number 0 as not given, except where a VLAN id is ranged.
    fn physical(&self) -> Option<&str> {
        self.physical_network.as_deref().filter(|n| !n.is_empty())
    }

    fn id(&self) -> Option<i64> {
        self.segmentation_id.filter(|id| *id != 0)
    }

    /// Whether the configuration allows it.
    pub fn check(&self, ml2: &Ml2) -> Result<(), Fault> {
        let name = self.kind.name();
        let prohibited = |key: &str| Err(invalid(format!("{key} prohibited for {name} provider network")));
        match self.kind {
            Kind::Local if self.physical().is_some() => prohibited("physical_network"),
            Kind::Local if self.id().is_some() => prohibited("segmentation_id"),
            Kind::Local => Ok(()),
            Kind::Flat => self.check_flat(ml2),
            Kind::Vlan => self.check_vlan(ml2),
            Kind::Gre | Kind::Vxlan | Kind::Geneve if self.physical().is_some() => {
                Err(invalid(format!("provider:physical_network specified for {name} network")))
            }
            Kind::Gre | Kind::Vxlan | Kind::Geneve => self.check_id(),
        }
    }

    fn check_flat(&self, ml2: &Ml2) -> Result<(), Fault> {
        let Some(physical) = self.physical() else {
            return Err(invalid("physical_network required for flat provider network"));
        };
        if let Some(flat) = &ml2.flat {
            if flat.is_empty() {
                return Err(invalid("Flat provider networks are disabled"));
            }
            if !flat.iter().any(|n| n == physical) {
                return Err(invalid(format!(
                    "physical_network '{physical}' unknown for flat provider network"
                )));
            }
        }
        match self.id() {
            Some(_) => Err(invalid("segmentation_id prohibited for flat provider network")),
            None => Ok(()),
        }
    }

    fn check_vlan(&self, ml2: &Ml2) -> Result<(), Fault> {
        match (self.physical(), self.segmentation_id) {
            (Some(physical), _) if !ml2.vlan.iter().any(|(n, _)| n == physical) => {
                Err(invalid(format!("physical_network '{physical}' unknown for VLAN provider network")))
            }
            (Some(_), Some(id)) if !(1..=VLAN_MAX).contains(&id) => {
                Err(invalid(format!("segmentation_id out of range (1 through {VLAN_MAX})")))
            }
            (None, Some(_)) => {
                Err(invalid("segmentation_id requires physical_network for VLAN provider network"))
            }
            _ => Ok(()),
        }
    }

    /// Upstream takes numbers that no tunnel can carry, and fails on those that no column can hold.
    fn check_id(&self) -> Result<(), Fault> {
        let max = i64::from(i32::MAX);
        match self.segmentation_id {
            Some(id) if !(0..=max).contains(&id) => {
                Err(invalid(format!("segmentation_id out of range (0 through {max})")))
            }
            _ => Ok(()),
        }
    }

    /// The largest packet of the segment in bytes, after its encapsulation; none where nothing bounds it.
    pub fn mtu(&self, ml2: &Ml2) -> Option<u32> {
        let global = (ml2.core.global_physnet_mtu > 0).then_some(ml2.core.global_physnet_mtu);
        let physical = self.physical_network.as_ref().and_then(|n| ml2.physical_mtus.get(n)).copied();
        let path = (ml2.path_mtu > 0).then_some(ml2.path_mtu);
        let ip_header = if ml2.overlay_ip_version == 6 { 40 } else { 20 };
        let under = |header: u32| {
            let outer = global.into_iter().chain(path).min()?;
            Some(outer.saturating_sub(ip_header + header))
        };
        let mtu = match self.kind {
            Kind::Local => None,
            Kind::Flat | Kind::Vlan => global.into_iter().chain(physical).min(),
            Kind::Gre => under(GRE_HEADER),
            Kind::Vxlan => under(VXLAN_HEADER),
            Kind::Geneve => under(ml2.geneve_header),
        };
        mtu.filter(|mtu| *mtu > 0)
    }
}

/// Bytes of GRE with key and the inner Ethernet header.
const GRE_HEADER: u32 = 22;
/// Bytes of UDP, VXLAN and the inner Ethernet header.
const VXLAN_HEADER: u32 = 30;

/// The MTU of a network: what was asked for, within what its segments carry.
///
/// `asked` 0 means none; without `strict` a value that is too big passes.
pub fn network_mtu(ml2: &Ml2, segments: &[Wanted], asked: u32, strict: bool) -> Result<u32, Fault> {
    let most = segments.iter().filter_map(|s| s.mtu(ml2)).min().unwrap_or(ml2.core.global_physnet_mtu);
    if strict && asked > 0 && most > 0 && asked > most {
        return Err(invalid(format!("Requested MTU is too big, maximum is {most}")));
    }
    Ok(if asked > 0 { asked } else { most })
}

#[cfg(test)]
mod tests;
