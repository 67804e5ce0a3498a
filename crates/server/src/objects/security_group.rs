//! `SecurityGroup` 1.6, `SecurityGroupRule` 1.3 and `AddressGroup` 1.2.

use super::columns::{Children, Column, STANDARD, flag, int, objects, text};
use super::{Data, Version, Which, give, ids, wrap};
use crate::db::{Stop, Tx};
use crate::handlers::security_rules::normal;
use serde_json::{Value, json};
use std::collections::HashMap;

pub(super) const FILTERS: &[(&str, &str)] = &[
    ("id", "o.id IN (?)"),
    ("project_id", "o.project_id IN (?)"),
    ("name", "o.name IN (?)"),
    ("stateful", "o.stateful IN (?)"),
];

pub(super) const RULE_FILTERS: &[(&str, &str)] = &[
    ("id", "o.id IN (?)"),
    ("project_id", "o.project_id IN (?)"),
    ("security_group_id", "o.security_group_id IN (?)"),
    ("remote_group_id", "o.remote_group_id IN (?)"),
    ("remote_address_group_id", "o.remote_address_group_id IN (?)"),
    ("direction", "o.direction IN (?)"),
    ("ethertype", "o.ethertype IN (?)"),
    ("protocol", "o.protocol IN (?)"),
];

pub(super) const ADDRESS_GROUP_FILTERS: &[(&str, &str)] =
    &[("id", "o.id IN (?)"), ("project_id", "o.project_id IN (?)"), ("name", "o.name IN (?)")];

pub(super) const RULE_LATER: &[(&str, Version)] = &[("belongs_to_default_sg", (1, 3))];

const GROUP: &[Column] = &[
    text("id", "o.id"),
    text("project_id", "o.project_id"),
    text("name", "o.name"),
    flag("stateful", "o.stateful"),
    flag("is_default", "d.security_group_id IS NOT NULL"),
    flag(
        "shared",
        "EXISTS (SELECT 1 FROM securitygrouprbacs AS r WHERE r.object_id = o.id \
         AND r.action = 'access_as_shared' AND r.target_project = '*')",
    ),
];

const GROUP_FROM: &str = "securitygroups AS o JOIN standardattributes AS a ON a.id = o.standard_attr_id \
     LEFT JOIN default_security_group AS d ON d.security_group_id = o.id";

const RULE: &[Column] = &[
    text("id", "o.id"),
    text("project_id", "o.project_id"),
    text("security_group_id", "o.security_group_id"),
    text("remote_group_id", "o.remote_group_id"),
    text("direction", "o.direction"),
    text("ethertype", "o.ethertype"),
    text("protocol", "o.protocol"),
    int("port_range_min", "o.port_range_min"),
    int("port_range_max", "o.port_range_max"),
    text("remote_ip_prefix", "o.remote_ip_prefix"),
    text("remote_address_group_id", "o.remote_address_group_id"),
    flag("belongs_to_default_sg", "d.security_group_id IS NOT NULL"),
];

const RULE_FROM: &str = "securitygrouprules AS o JOIN standardattributes AS a ON a.id = o.standard_attr_id \
     LEFT JOIN default_security_group AS d ON d.security_group_id = o.security_group_id";

const RULES_OF_GROUPS: Children = Children {
    object: Some(("SecurityGroupRule", "1.3")),
    columns: RULE,
    standard: true,
    from: RULE_FROM,
    parent: "o.security_group_id",
    order: "o.security_group_id, o.id",
};

const ADDRESS_GROUP: &[Column] =
    &[text("id", "o.id"), text("project_id", "o.project_id"), text("name", "o.name")];

const ADDRESSES: Children = Children {
    object: Some(("AddressAssociation", "1.0")),
    columns: &[text("address", "c.address"), text("address_group_id", "c.address_group_id")],
    standard: false,
    from: "address_associations AS c",
    parent: "c.address_group_id",
    order: "c.address_group_id, c.address",
};

/// Adds the prefix with its host bits cleared; null where there is none.
fn normalized(rule: &mut Data) {
    let prefix = rule.get("remote_ip_prefix").and_then(Value::as_str).map(normal);
    rule.insert("normalized_cidr".into(), json!(prefix));
}

pub(super) async fn read(tx: &mut Tx, which: &Which) -> Result<Vec<Data>, Stop> {
    let mut groups = objects(tx, &[GROUP, STANDARD], GROUP_FROM, which).await?;
    let mut rules: HashMap<String, Vec<Value>> = HashMap::new();
    for (group, mut rule) in RULES_OF_GROUPS.data(tx, &ids(&groups)).await? {
        normalized(&mut rule);
        rules.entry(group).or_default().push(wrap("SecurityGroupRule", "1.3", rule));
    }
    give(&mut groups, "rules", rules);
    Ok(groups)
}

pub(super) async fn rules(tx: &mut Tx, which: &Which) -> Result<Vec<Data>, Stop> {
    let mut rules = objects(tx, &[RULE, STANDARD], RULE_FROM, which).await?;
    rules.iter_mut().for_each(normalized);
    Ok(rules)
}

pub(super) async fn address_groups(tx: &mut Tx, which: &Which) -> Result<Vec<Data>, Stop> {
    let from = "address_groups AS o JOIN standardattributes AS a ON a.id = o.standard_attr_id";
    let mut groups = objects(tx, &[ADDRESS_GROUP, STANDARD], from, which).await?;
    for group in &mut groups {
        // As with networks, upstream's object never says true.
        group.insert("shared".into(), json!(false));
    }
    let addresses = ADDRESSES.of(tx, &ids(&groups)).await?;
    give(&mut groups, "addresses", addresses);
    Ok(groups)
}
