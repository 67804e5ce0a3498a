//! What can be shared: a closed list, each kind with its table of grants.

use super::{ACCESS_EXTERNAL, ACCESS_SHARED};

/// A kind of object that its owner can share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `network`
    Network,
    /// `security_group`
    SecurityGroup,
    /// `subnetpool`
    SubnetPool,
    /// `address_scope`
    AddressScope,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 4] = [Kind::Network, Kind::SecurityGroup, Kind::SubnetPool, Kind::AddressScope];

    /// The kind by its `object_type`.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The `object_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Network => "network",
            Kind::SecurityGroup => "security_group",
            Kind::SubnetPool => "subnetpool",
            Kind::AddressScope => "address_scope",
        }
    }

    /// The table of the objects.
    pub const fn table(self) -> &'static str {
        match self {
            Kind::Network => "networks",
            Kind::SecurityGroup => "securitygroups",
            Kind::SubnetPool => "subnetpools",
            Kind::AddressScope => "address_scopes",
        }
    }

    /// The table of the grants.
    pub const fn grants(self) -> &'static str {
        match self {
            Kind::Network => "networkrbacs",
            Kind::SecurityGroup => "securitygrouprbacs",
            Kind::SubnetPool => "subnetpoolrbacs",
            Kind::AddressScope => "addressscoperbacs",
        }
    }

    /// What can be granted.
    pub const fn actions(self) -> &'static [&'static str] {
        match self {
            Kind::Network => &[ACCESS_SHARED, ACCESS_EXTERNAL],
            Kind::SecurityGroup | Kind::SubnetPool | Kind::AddressScope => &[ACCESS_SHARED],
        }
    }

    /// The projects that use an object: one parameter, the object's id.
    pub const fn users(self) -> &'static str {
        match self {
            Kind::Network => "SELECT DISTINCT project_id FROM ports WHERE network_id = ?",
            Kind::SecurityGroup => {
                "SELECT DISTINCT ports.project_id FROM ports JOIN securitygroupportbindings ON securitygroupportbindings.port_id = ports.id WHERE securitygroupportbindings.security_group_id = ?"
            }
            Kind::SubnetPool => "SELECT DISTINCT project_id FROM subnets WHERE subnetpool_id = ?",
            Kind::AddressScope => "SELECT DISTINCT project_id FROM subnetpools WHERE address_scope_id = ?",
        }
    }
}
