//! Versioned objects: resources as agents of Python's get them pushed and pull them, in the version they know.
//!
//! Names, versions and shapes are those of `neutron.objects` 29.0.0; the cases in `tests/golden/objects.json` come
//! from there. A number of statements that does not depend on the number of objects.

mod columns;
mod network;
mod port;
mod security_group;
mod subnet;

use crate::db::{Stop, Tx, Val, marks};
use serde_json::{Map, Value, json};

/// Ids of one statement.
const IDS_PER_STATEMENT_MAX: usize = 500;

/// The objects that are made here. Of the others that Neutron has (`QosPolicy`, `Trunk` …) there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `Port`
    Port,
    /// `Network`
    Network,
    /// `Subnet`
    Subnet,
    /// `SecurityGroup`
    SecurityGroup,
    /// `SecurityGroupRule`
    SecurityGroupRule,
    /// `AddressGroup`
    AddressGroup,
}

/// A version of an object: major and minor.
pub type Version = (u32, u32);

/// What Neutron 29 can pull, beyond [`Kind`]: there are none of these here.
pub const ABSENT: &[&str] = &[
    "QosPolicy",
    "Trunk",
    "SubPort",
    "Log",
    "PortForwarding",
    "ConntrackHelper",
    "LocalIPAssociation",
    "NDPProxy",
    "Agent",
];

/// One object's fields, as the newest version has them.
type Data = Map<String, Value>;

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] = [
        Kind::Port,
        Kind::Network,
        Kind::Subnet,
        Kind::SecurityGroup,
        Kind::SecurityGroupRule,
        Kind::AddressGroup,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Port => "Port",
            Kind::Network => "Network",
            Kind::Subnet => "Subnet",
            Kind::SecurityGroup => "SecurityGroup",
            Kind::SecurityGroupRule => "SecurityGroupRule",
            Kind::AddressGroup => "AddressGroup",
        }
    }

    /// The kind of a name on the wire.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind that a resource of the API is pushed as.
    pub fn of(resource: &str) -> Option<Kind> {
        match resource {
            "port" => Some(Kind::Port),
            "network" => Some(Kind::Network),
            "subnet" => Some(Kind::Subnet),
            "security_group" => Some(Kind::SecurityGroup),
            "security_group_rule" => Some(Kind::SecurityGroupRule),
            "address_group" => Some(Kind::AddressGroup),
            _ => None,
        }
    }

    /// The newest version, Neutron 29.0.0's.
    pub fn newest(self) -> Version {
        match self {
            Kind::Port => (1, 11),
            Kind::Network | Kind::SecurityGroupRule => (1, 3),
            Kind::Subnet | Kind::AddressGroup => (1, 2),
            Kind::SecurityGroup => (1, 6),
        }
    }

    /// The fields by which objects are found, with their columns.
    fn filters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Kind::Port => port::FILTERS,
            Kind::Network => network::FILTERS,
            Kind::Subnet => subnet::FILTERS,
            Kind::SecurityGroup => security_group::FILTERS,
            Kind::SecurityGroupRule => security_group::RULE_FILTERS,
            Kind::AddressGroup => security_group::ADDRESS_GROUP_FILTERS,
        }
    }

    /// The fields that came later than a version of their object.
    fn later(self) -> &'static [(&'static str, Version)] {
        match self {
            Kind::Port => port::LATER,
            Kind::Network => &[("qinq", (1, 2)), ("pvlan", (1, 3))],
            Kind::Subnet => &[("external", (1, 2))],
            Kind::SecurityGroupRule => security_group::RULE_LATER,
            Kind::SecurityGroup | Kind::AddressGroup => &[],
        }
    }

    /// What an object that is gone is pushed with beside its id: the fields that have a default.
    fn defaults(self) -> Value {
        match self {
            Kind::Port => {
                json!({"security_group_ids": null, "qos_policy_id": null, "qos_network_policy_id": null})
            }
            Kind::Network => json!({"shared": false, "mtu": 1500, "qos_policy_id": null}),
            Kind::Subnet => json!({}),
            Kind::SecurityGroup => json!({"stateful": true, "is_default": false}),
            Kind::SecurityGroupRule => json!({"belongs_to_default_sg": false}),
            Kind::AddressGroup => json!({"shared": false}),
        }
    }
}

/// Reads a version; none when it is none.
pub fn version(text: &str) -> Option<Version> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Which objects: a condition over the object's own table, with its parameters.
pub struct Which {
    sql: String,
    params: Vec<Val>,
}

impl Which {
    /// The objects with some ids.
    pub fn ids<S: AsRef<str>>(ids: &[S]) -> Which {
        let params = ids.iter().map(|id| Val::from(id.as_ref())).collect();
        Which { sql: format!("o.id IN ({})", marks(ids.len())), params }
    }

    /// The objects that fit `filter_kwargs`: each a value, or several of which one fits.
    ///
    /// # Errors
    /// A field by which this kind is not found.
    pub fn filtered(kind: Kind, filters: &Map<String, Value>) -> Result<Which, String> {
        let mut which = Which { sql: "1 = 1".into(), params: Vec::new() };
        for (name, wanted) in filters {
            let column = kind.filters().iter().find(|(field, _)| field == name);
            let Some((_, column)) = column else {
                return Err(format!("{} objects are not found by {name}", kind.name()));
            };
            let values = wanted.as_array().map_or(std::slice::from_ref(wanted), Vec::as_slice);
            let values: Vec<Val> = values.iter().map(crate::store::to_val).collect();
            let fits = match values.as_slice() {
                [] => "1 = 0".to_string(),
                [Val::Null] => column.replace("IN (?)", "IS NULL"),
                many => column.replace("IN (?)", &format!("IN ({})", marks(many.len()))),
            };
            which.sql += &format!(" AND {fits}");
            which.params.extend(values.into_iter().filter(|value| *value != Val::Null));
        }
        Ok(which)
    }
}

/// Objects in the order of their ids, as the newest version has them.
pub async fn read(tx: &mut Tx, kind: Kind, which: &Which) -> Result<Vec<Object>, Stop> {
    let all = match kind {
        Kind::Port => port::read(tx, which).await,
        Kind::Network => network::read(tx, which).await,
        Kind::Subnet => subnet::read(tx, which).await,
        Kind::SecurityGroup => security_group::read(tx, which).await,
        Kind::SecurityGroupRule => security_group::rules(tx, which).await,
        Kind::AddressGroup => security_group::address_groups(tx, which).await,
    }?;
    Ok(all.into_iter().map(|data| Object { kind, data, changes: None }).collect())
}

/// An object, ready to be written in any version.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    kind: Kind,
    data: Data,
    changes: Option<Vec<String>>,
}

impl Object {
    /// What is pushed of an object that is gone.
    pub fn gone(kind: Kind, id: &str) -> Object {
        let mut data = kind.defaults().as_object().cloned().unwrap_or_default();
        data.insert("id".into(), json!(id));
        let mut changes: Vec<String> = data.keys().cloned().collect();
        changes.sort();
        Object { kind, data, changes: Some(changes) }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.data.get("id").and_then(Value::as_str).unwrap_or_default()
    }

    /// The object on the wire in a version up to the newest.
    pub fn primitive(&self, version: Version) -> Value {
        let mut data = self.data.clone();
        downgrade(self.kind, &mut data, version);
        if let (Kind::SecurityGroup, Some(rules)) = (self.kind, rules_version(version)) {
            for rule in data.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(fields) = rule.get_mut("versioned_object.data").and_then(Value::as_object_mut) {
                    downgrade(Kind::SecurityGroupRule, fields, rules);
                }
                rule["versioned_object.version"] = json!(format!("{}.{}", rules.0, rules.1));
            }
        }
        let mut primitive = wrap(self.kind.name(), &format!("{}.{}", version.0, version.1), data);
        if let Some(changes) = &self.changes {
            primitive["versioned_object.changes"] = json!(changes);
        }
        primitive
    }
}

/// The version of the rules inside a security group of an older version; none where they are the newest.
fn rules_version(group: Version) -> Option<Version> {
    match group {
        older if older < (1, 3) => Some((1, 0)),
        older if older < (1, 4) => Some((1, 1)),
        older if older < (1, 6) => Some((1, 2)),
        _ => None,
    }
}

fn downgrade(kind: Kind, data: &mut Data, version: Version) {
    for (field, since) in kind.later() {
        if version < *since {
            data.remove(*field);
        }
    }
}

/// An object inside of another, or whole: `versioned_object.*`.
fn wrap(name: &str, version: &str, data: Data) -> Value {
    json!({"versioned_object.name": name, "versioned_object.namespace": "versionedobjects",
           "versioned_object.version": version, "versioned_object.data": data})
}

/// Puts `children` (by their parent's id) as a list under `name` of each object; an empty list where it has none.
fn give(objects: &mut [Data], name: &str, mut children: std::collections::HashMap<String, Vec<Value>>) {
    for data in objects {
        let id = data.get("id").and_then(Value::as_str).unwrap_or_default();
        let own = children.remove(id).unwrap_or_default();
        data.insert(name.to_string(), Value::Array(own));
    }
}

fn ids(objects: &[Data]) -> Vec<String> {
    objects.iter().filter_map(|data| Some(data.get("id")?.as_str()?.to_string())).collect()
}
