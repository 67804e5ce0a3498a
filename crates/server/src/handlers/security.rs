//! The agents' questions about security groups (`q-plugin`, version 1.3): rules and members of the groups of
//! some devices. A number of statements that does not depend on the number of devices.

use super::args::Args;
use super::security_rules::{self as rules, Member, Rule};
use super::{bodies, device, failure};
use crate::app::Shared;
use crate::attr::Body;
use crate::db::{Row, Stop, Tx, Val, marks};
use crate::request::Rq;
use crate::store::Query;
use oslo::context::Context;
use rpc::{Answer, Call, Endpoint, Failure};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The security groups' endpoint.
pub struct SecurityGroups(pub Shared);

/// What concerns some devices: their ports, the rules of the ports' groups, the members of remote groups.
struct View {
    /// Ports in the order asked for, trusted ones left out.
    ports: Vec<Port>,
    /// Rules by group; groups without rules are there.
    groups: BTreeMap<String, Vec<Rule>>,
    /// Addresses by group or address group.
    members: BTreeMap<String, BTreeSet<Member>>,
}

struct Port {
    id: String,
    /// The resource with the lists that agents expect beside it.
    body: Body,
    groups: Vec<String>,
    addresses: Vec<String>,
}

const RULES: &str = "SELECT r.security_group_id, r.direction, r.ethertype, r.protocol, r.port_range_min, \
     r.port_range_max, r.remote_ip_prefix, r.remote_group_id, r.remote_address_group_id, g.stateful \
     FROM securitygrouprules AS r JOIN securitygroups AS g ON g.id = r.security_group_id";

fn rule(row: &Row) -> Rule {
    Rule {
        group: row.text(0),
        direction: row.text(1),
        ethertype: row.text(2),
        protocol: row.opt_text(3),
        port_range_min: row.opt_int(4),
        port_range_max: row.opt_int(5),
        remote_ip_prefix: row.opt_text(6),
        remote_group: row.opt_text(7),
        remote_address_group: row.opt_text(8),
        stateful: row.flag(9),
    }
}

/// Rows of a statement that ends in `IN (…)`; none where there is nothing to look for.
async fn among(tx: &mut Tx, sql: &str, ids: &BTreeSet<String>, order: &str) -> Result<Vec<Row>, Stop> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let params: Vec<Val> = ids.iter().map(Val::from).collect();
    tx.all(&format!("{sql} IN ({}) {order}", marks(ids.len())), &params).await
}

impl Port {
    /// `device` is the name that the agent used.
    fn read(mut body: Body, groups: Vec<String>, device: &str) -> Option<Port> {
        let text = |body: &Body, name: &str| body.get(name).and_then(Value::as_str).map(str::to_string);
        if text(&body, "device_owner")?.starts_with("network:") {
            return None;
        }
        let fixed_ips = body.get("fixed_ips").and_then(Value::as_array).cloned().unwrap_or_default();
        let address = |ip: &Value| ip.get("ip_address").and_then(Value::as_str).map(str::to_string);
        let addresses: Vec<String> = fixed_ips.iter().filter_map(address).collect();
        let id = text(&body, "id")?;
        for (name, value) in [
            ("fixed_ips", json!(addresses)),
            ("security_groups", json!(groups)),
            ("security_group_rules", json!([])),
            ("security_group_source_groups", json!([])),
            ("security_group_remote_address_groups", json!([])),
            ("device", json!(device)),
        ] {
            body.insert(name.into(), value);
        }
        Some(Port { id, body, groups, addresses })
    }
}

async fn members(
    tx: &mut Tx,
    groups: &BTreeSet<String>,
    address_groups: &BTreeSet<String>,
) -> Result<BTreeMap<String, BTreeSet<Member>>, Stop> {
    let mut found: BTreeMap<String, BTreeSet<Member>> = BTreeMap::new();
    let own = "SELECT b.security_group_id, i.ip_address, NULL FROM securitygroupportbindings AS b \
         JOIN ipallocations AS i ON i.port_id = b.port_id WHERE b.security_group_id";
    let pairs = "SELECT b.security_group_id, a.ip_address, a.mac_address FROM securitygroupportbindings AS b \
         JOIN allowedaddresspairs AS a ON a.port_id = b.port_id WHERE b.security_group_id";
    let listed = "SELECT address_group_id, address, NULL FROM address_associations WHERE address_group_id";
    for (sql, ids) in [(own, groups), (pairs, groups), (listed, address_groups)] {
        for row in among(tx, sql, ids, "").await? {
            found.entry(row.text(0)).or_default().insert(Member { ip: row.text(1), mac: row.opt_text(2) });
        }
    }
    Ok(found)
}

async fn view(rq: Rq<'_>, tx: &mut Tx, devices: &[Value]) -> Result<View, Stop> {
    let named = device::ports(tx, devices).await?;
    let names: BTreeMap<String, String> =
        named.into_iter().filter_map(|(device, id)| Some((id?, device))).collect();
    let ids: BTreeSet<String> = names.keys().cloned().collect();
    let sql = "SELECT port_id, security_group_id FROM securitygroupportbindings WHERE port_id";
    let mut bound: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in among(tx, sql, &ids, "ORDER BY security_group_id").await? {
        bound.entry(row.text(0)).or_default().push(row.text(1));
    }
    let listed: Vec<&String> = ids.iter().collect();
    let found = bodies(rq, tx, "port", |r| Query::among(r, "id", &listed)).await?;
    let read = |body: Body| {
        let id = body.get("id").and_then(Value::as_str)?.to_string();
        Port::read(body, bound.get(&id).cloned().unwrap_or_default(), names.get(&id)?)
    };
    let ports: Vec<Port> = found.into_iter().filter_map(read).collect();
    let wanted: BTreeSet<String> = ports.iter().flat_map(|port| port.groups.iter().cloned()).collect();
    let mut groups: BTreeMap<String, Vec<Rule>> = wanted.iter().map(|g| (g.clone(), Vec::new())).collect();
    let sql = format!("{RULES} WHERE r.security_group_id");
    for row in among(tx, &sql, &wanted, "ORDER BY r.id").await? {
        groups.entry(row.text(0)).or_default().push(rule(&row));
    }
    let all = || groups.values().flatten();
    let remote: BTreeSet<String> = all().filter_map(|rule| rule.remote_group.clone()).collect();
    let listed: BTreeSet<String> = all().filter_map(|rule| rule.remote_address_group.clone()).collect();
    let members = members(tx, &remote, &listed).await?;
    Ok(View { ports, groups, members })
}

fn push_once(port: &mut Body, list: &str, id: &str) {
    if let Some(list) = port.get_mut(list).and_then(Value::as_array_mut)
        && !list.iter().any(|known| known == id)
    {
        list.push(json!(id));
    }
}

/// The answer of `security_group_info_for_devices`. `pairs`: members as [address, MAC or null] (call version
/// 1.3) instead of addresses.
fn info(view: View, pairs: bool) -> Value {
    let mut devices = Map::new();
    let mut member_ips: BTreeMap<String, BTreeMap<String, Vec<Value>>> = BTreeMap::new();
    for mut port in view.ports {
        for rule in port.groups.iter().filter_map(|group| view.groups.get(group)).flatten() {
            let remote = rule.remote_group.as_ref().or(rule.remote_address_group.as_ref());
            let list = match rule.remote_group {
                Some(_) => "security_group_source_groups",
                None => "security_group_remote_address_groups",
            };
            if let Some(remote) = remote {
                push_once(&mut port.body, list, remote);
                member_ips.entry(remote.clone()).or_default().entry(rule.ethertype.clone()).or_default();
            }
        }
        port.body.insert("security_group_rules".into(), json!(rules::provider(&port.addresses)));
        devices.insert(port.id, Value::Object(port.body));
    }
    for (group, families) in &mut member_ips {
        for member in view.members.get(group).into_iter().flatten() {
            if let Some(list) = families.get_mut(member.ethertype()) {
                let shown = if pairs { json!([member.ip, member.mac]) } else { json!(member.ip) };
                if !list.contains(&shown) {
                    list.push(shown);
                }
            }
        }
    }
    let groups: Map<String, Value> = view
        .groups
        .iter()
        .map(|(id, list)| (id.clone(), Value::Array(rules::group(&list.iter().collect::<Vec<_>>()))))
        .collect();
    json!({"devices": devices, "security_groups": groups, "sg_member_ips": member_ips})
}

/// The answer of `security_group_rules_for_devices`: everything written out per port.
fn expanded(view: View) -> Value {
    let mut devices = Map::new();
    for mut port in view.ports {
        let mut list = Vec::new();
        for rule in port.groups.iter().filter_map(|group| view.groups.get(group)).flatten() {
            let remote = rule.remote_group.as_ref().or(rule.remote_address_group.as_ref());
            let members = remote.and_then(|id| view.members.get(id));
            let members: Vec<Member> = members.into_iter().flatten().cloned().collect();
            list.extend(rules::expanded(rule, &members, &port.addresses));
            if let Some(group) = &rule.remote_group {
                push_once(&mut port.body, "security_group_source_groups", group);
            }
            if let Some(group) = &rule.remote_address_group {
                push_once(&mut port.body, "security_group_remote_address_groups", group);
            }
        }
        list.extend(rules::provider(&port.addresses));
        port.body.insert("security_group_rules".into(), Value::Array(list));
        devices.insert(port.id, Value::Object(port.body));
    }
    Value::Object(devices)
}

impl SecurityGroups {
    async fn view(&self, args: &Args) -> Result<View, Failure> {
        let ctx = Context::admin();
        let rq = Rq { app: &self.0, ctx: &ctx };
        let mut tx = self.0.db.read().await.map_err(failure)?;
        view(rq, &mut tx, args.values("devices")).await.map_err(failure)
    }
}

impl Endpoint for SecurityGroups {
    fn version(&self) -> &str {
        "1.3"
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        Box::pin(async move {
            let args = Args(args);
            match method {
                "security_group_info_for_devices" => {
                    let pairs = args.opt("call_version") == Some("1.3");
                    Ok(info(self.view(&args).await?, pairs))
                }
                "security_group_rules_for_devices" => Ok(expanded(self.view(&args).await?)),
                _ => Err(Failure::no_such_method(method)),
            }
        })
    }
}
