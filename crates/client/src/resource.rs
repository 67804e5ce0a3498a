//! The kinds of resources: their names, plurals and paths.

/// A kind of resource.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// The word around one of them in a body, and in messages.
    pub name: &'static str,
    /// The word around many of them.
    pub plural: &'static str,
    /// The path of the collection below `/v2.0`.
    pub path: &'static str,
    /// The word for it where a command has another name than the body.
    pub spoken: &'static str,
}

impl Resource {
    const fn new(name: &'static str, plural: &'static str, path: &'static str) -> Self {
        Self { name, plural, path, spoken: name }
    }
}

/// Address scopes.
pub static ADDRESS_SCOPE: Resource = Resource::new("address_scope", "address_scopes", "/address-scopes");
/// Agents.
pub static AGENT: Resource = Resource::new("agent", "agents", "/agents");
/// Availability zones.
pub static AVAILABILITY_ZONE: Resource =
    Resource::new("availability_zone", "availability_zones", "/availability_zones");
/// Extensions.
pub static EXTENSION: Resource = Resource::new("extension", "extensions", "/extensions");
/// Flavours of routers.
pub static FLAVOR: Resource = Resource::new("flavor", "flavors", "/flavors");
/// Floating IPs.
pub static FLOATINGIP: Resource = Resource::new("floatingip", "floatingips", "/floatingips");
/// Networks.
pub static NETWORK: Resource = Resource::new("network", "networks", "/networks");
/// How many addresses of a network are used.
pub static NETWORK_IP_AVAILABILITY: Resource =
    Resource::new("network_ip_availability", "network_ip_availabilities", "/network-ip-availabilities");
/// Ports.
pub static PORT: Resource = Resource::new("port", "ports", "/ports");
/// QoS policies.
pub static QOS_POLICY: Resource =
    Resource { spoken: "qos_policy", ..Resource::new("policy", "policies", "/qos/policies") };
/// Quotas.
pub static QUOTA: Resource = Resource::new("quota", "quotas", "/quotas");
/// RBAC policies.
pub static RBAC_POLICY: Resource = Resource::new("rbac_policy", "rbac_policies", "/rbac-policies");
/// Routers.
pub static ROUTER: Resource = Resource::new("router", "routers", "/routers");
/// Security groups.
pub static SECURITY_GROUP: Resource = Resource::new("security_group", "security_groups", "/security-groups");
/// Rules of security groups.
pub static SECURITY_GROUP_RULE: Resource =
    Resource::new("security_group_rule", "security_group_rules", "/security-group-rules");
/// Segments of networks.
pub static SEGMENT: Resource = Resource::new("segment", "segments", "/segments");
/// Service providers.
pub static SERVICE_PROVIDER: Resource =
    Resource::new("service_provider", "service_providers", "/service-providers");
/// Subnets.
pub static SUBNET: Resource = Resource::new("subnet", "subnets", "/subnets");
/// Subnet pools.
pub static SUBNETPOOL: Resource = Resource::new("subnetpool", "subnetpools", "/subnetpools");
