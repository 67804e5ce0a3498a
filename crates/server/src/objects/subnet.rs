//! `Subnet` 1.2.

use super::columns::{Children, Column, STANDARD, flag, int, objects, text};
use super::{Data, Which, give, ids};
use crate::db::{Stop, Tx};

pub(super) const FILTERS: &[(&str, &str)] = &[
    ("id", "o.id IN (?)"),
    ("network_id", "o.network_id IN (?)"),
    ("project_id", "o.project_id IN (?)"),
    ("segment_id", "o.segment_id IN (?)"),
    ("subnetpool_id", "o.subnetpool_id IN (?)"),
    ("ip_version", "o.ip_version IN (?)"),
];

const SUBNET: &[Column] = &[
    text("id", "o.id"),
    text("project_id", "o.project_id"),
    text("name", "o.name"),
    text("network_id", "o.network_id"),
    text("segment_id", "o.segment_id"),
    text("subnetpool_id", "o.subnetpool_id"),
    int("ip_version", "o.ip_version"),
    text("cidr", "o.cidr"),
    text("gateway_ip", "o.gateway_ip"),
    flag("enable_dhcp", "o.enable_dhcp"),
    text("ipv6_ra_mode", "o.ipv6_ra_mode"),
    text("ipv6_address_mode", "o.ipv6_address_mode"),
    flag("dns_publish_fixed_ip", "COALESCE(d.dns_publish_fixed_ip, 0)"),
    flag("external", "x.network_id IS NOT NULL"),
    flag(
        "shared",
        "EXISTS (SELECT 1 FROM networkrbacs AS r WHERE r.object_id = o.network_id \
         AND r.action = 'access_as_shared' AND r.target_project = '*')",
    ),
];

const FROM: &str = "subnets AS o JOIN standardattributes AS a ON a.id = o.standard_attr_id \
     LEFT JOIN subnet_dns_publish_fixed_ips AS d ON d.subnet_id = o.id \
     LEFT JOIN externalnetworks AS x ON x.network_id = o.network_id";

const POOLS: Children = Children {
    object: Some(("IPAllocationPool", "1.0")),
    columns: &[
        text("id", "c.id"),
        text("subnet_id", "c.subnet_id"),
        text("start", "c.first_ip"),
        text("end", "c.last_ip"),
    ],
    standard: false,
    from: "ipallocationpools AS c",
    parent: "c.subnet_id",
    order: "c.subnet_id, c.first_ip",
};

const SERVERS: Children = Children {
    object: Some(("DNSNameServer", "1.0")),
    columns: &[text("address", "c.address"), text("subnet_id", "c.subnet_id"), int("order", "c.`order`")],
    standard: false,
    from: "dnsnameservers AS c",
    parent: "c.subnet_id",
    order: "c.subnet_id, c.`order`",
};

const ROUTES: Children = Children {
    object: Some(("Route", "1.0")),
    columns: &[
        text("subnet_id", "c.subnet_id"),
        text("destination", "c.destination"),
        text("nexthop", "c.nexthop"),
    ],
    standard: false,
    from: "subnetroutes AS c",
    parent: "c.subnet_id",
    order: "c.subnet_id, c.destination, c.nexthop",
};

const SERVICE_TYPES: Children = Children {
    object: None,
    columns: &[text("service_type", "c.service_type")],
    standard: false,
    from: "subnet_service_types AS c",
    parent: "c.subnet_id",
    order: "c.subnet_id, c.service_type",
};

pub(super) async fn read(tx: &mut Tx, which: &Which) -> Result<Vec<Data>, Stop> {
    let mut subnets = objects(tx, &[SUBNET, STANDARD], FROM, which).await?;
    let parents = ids(&subnets);
    for (name, children) in [
        ("allocation_pools", POOLS),
        ("dns_nameservers", SERVERS),
        ("host_routes", ROUTES),
        ("service_types", SERVICE_TYPES),
    ] {
        let children = children.of(tx, &parents).await?;
        give(&mut subnets, name, children);
    }
    Ok(subnets)
}
