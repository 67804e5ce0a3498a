//! The L2 agents' questions (`q-plugin`, version 1.9): details of devices, and reports that they are up or down.

use super::args::Args;
use super::{bodies, device, failure};
use crate::app::{App, Shared};
use crate::attr::Condition;
use crate::db::{Row, Stop, Tx, Val, marks};
use crate::ml2::bind::bind;
use crate::ml2::provisioning::{self, BUILD, DOWN, Entity};
use crate::notifier::l2pop;
use crate::request::Rq;
use crate::store::Query;
use oslo::context::Context;
use rpc::{Answer, Call, Endpoint, Failure};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The ML2 endpoint.
pub struct Plugin(pub Shared);

/// What the server knows of a port that an agent asks about.
struct Port {
    id: String,
    status: String,
    admin_state_up: bool,
    standing: Standing,
    details: Map<String, Value>,
}

/// Whether the port's active binding leads to a segment, and where.
struct Standing {
    host: String,
    bound: bool,
    compute: bool,
}

const PORT: &str = "SELECT p.id, p.network_id, p.mac_address, p.admin_state_up, p.status, p.device_owner, \
     b.host, b.profile, s.network_type, s.segmentation_id, s.physical_network, n.mtu, e.port_security_enabled \
     FROM ports AS p JOIN networks AS n ON n.id = p.network_id \
     LEFT JOIN ml2_port_bindings AS b ON b.port_id = p.id AND b.status = 'ACTIVE' \
     LEFT JOIN ml2_port_binding_levels AS l ON l.port_id = p.id AND l.host = b.host AND l.level = \
       (SELECT MAX(level) FROM ml2_port_binding_levels WHERE port_id = p.id AND host = b.host) \
     LEFT JOIN networksegments AS s ON s.id = l.segment_id \
     LEFT JOIN portsecuritybindings AS e ON e.port_id = p.id";

impl Port {
    fn read(row: &Row) -> Port {
        let owner = row.text(5);
        let profile: Value = serde_json::from_str(&row.text(7)).unwrap_or_else(|_| json!({}));
        let compute = owner.starts_with("compute:");
        let details = json!({
            "network_id": row.text(1), "port_id": row.text(0), "mac_address": row.text(2),
            "admin_state_up": row.flag(3), "network_type": row.text(8), "segmentation_id": row.opt_int(9),
            "physical_network": row.opt_text(10), "mtu": row.int(11), "fixed_ips": [], "device_owner": owner,
            "allowed_address_pairs": [], "port_security_enabled": row.opt_int(12).is_none_or(|flag| flag != 0),
            "qos_policy_id": null, "qos_network_policy_id": null, "profile": profile,
            "propagate_uplink_status": false,
        });
        Port {
            id: row.text(0),
            status: row.text(4),
            admin_state_up: row.flag(3),
            standing: Standing { host: row.text(6), bound: row.opt_text(8).is_some(), compute },
            details: details.as_object().cloned().unwrap_or_default(),
        }
    }

    /// What the agent on `host` is told of it, under the name it used.
    fn answer(&self, device: &str, host: Option<&str>) -> Value {
        let mut answer = Map::new();
        answer.insert("device".into(), json!(device));
        if !self.standing.bound {
            return Value::Object(answer);
        }
        if self.standing.compute && Some(self.standing.host.as_str()) != host {
            answer.insert("no_active_binding".into(), json!(true));
            return Value::Object(answer);
        }
        answer.extend(self.details.clone());
        Value::Object(answer)
    }

    /// The status it gets because its agent asks; none where it has that already or the agent is another's.
    fn next_status(&self, host: Option<&str>) -> Option<&'static str> {
        let ours = host.is_none_or(|host| host == self.standing.host);
        let status = if self.admin_state_up { BUILD } else { DOWN };
        (ours && self.status != status).then_some(status)
    }
}

/// Ports by id, with addresses and allowed pairs: three statements.
async fn load(tx: &mut Tx, ids: &[String]) -> Result<BTreeMap<String, Port>, Stop> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let among = marks(ids.len());
    let params: Vec<Val> = ids.iter().map(Val::from).collect();
    let rows = tx.all(&format!("{PORT} WHERE p.id IN ({among})"), &params).await?;
    let mut ports: BTreeMap<String, Port> = rows.iter().map(|row| (row.text(0), Port::read(row))).collect();
    let mut fill = |rows: Vec<Row>, list: &str, names: [&str; 2]| {
        for row in rows {
            let entry = json!({names[0]: row.text(1), names[1]: row.text(2)});
            let port = ports.get_mut(&row.text(0)).and_then(|port| port.details.get_mut(list));
            if let Some(list) = port.and_then(Value::as_array_mut) {
                list.push(entry);
            }
        }
    };
    let sql = format!(
        "SELECT port_id, subnet_id, ip_address FROM ipallocations WHERE port_id IN ({among}) \
         ORDER BY ip_address, subnet_id"
    );
    fill(tx.all(&sql, &params).await?, "fixed_ips", ["subnet_id", "ip_address"]);
    let sql = format!(
        "SELECT port_id, mac_address, ip_address FROM allowedaddresspairs WHERE port_id IN ({among}) \
         ORDER BY mac_address, ip_address"
    );
    fill(tx.all(&sql, &params).await?, "allowed_address_pairs", ["mac_address", "ip_address"]);
    Ok(ports)
}

/// A transaction over statuses.
struct Statuses<'a> {
    rq: Rq<'a>,
    wanted: BTreeMap<String, &'static str>,
}

async fn store_statuses(tx: &mut Tx, input: &Statuses<'_>) -> Result<Vec<String>, Stop> {
    provisioning::set_status(input.rq, tx, &input.wanted).await
}

/// What an agent reports of its devices.
struct Report<'a> {
    rq: Rq<'a>,
    up: &'a [Value],
    down: &'a [Value],
    host: Option<&'a str>,
}

/// A device as its agent named it, and the port it is.
type Named = (String, Option<String>);

/// What became of a report.
#[derive(Default)]
struct Reported {
    down: Vec<Named>,
    /// Ports of ours that are wired now and whose status this report did not change.
    steady: Vec<String>,
    /// All ports of ours that are wired now.
    wired: Vec<String>,
}

async fn report(tx: &mut Tx, input: &Report<'_>) -> Result<Reported, Stop> {
    let up = device::ports(tx, input.up).await?;
    let down = device::ports(tx, input.down).await?;
    let ours = |ports: &BTreeMap<String, Port>, (_, id): &Named| {
        let port = ports.get(id.as_deref()?)?;
        input.host.is_none_or(|host| host == port.standing.host).then(|| port.id.clone())
    };
    let ids: Vec<String> = up.iter().chain(&down).filter_map(|(_, id)| id.clone()).collect();
    let ports = load(tx, &ids).await?;
    let wired: Vec<String> = up.iter().filter_map(|named| ours(&ports, named)).collect();
    let changed = provisioning::complete(input.rq, tx, &wired, Entity::L2).await?;
    let gone = down.iter().filter_map(|named| ours(&ports, named)).map(|id| (id, DOWN)).collect();
    provisioning::set_status(input.rq, tx, &gone).await?;
    let steady = wired.iter().filter(|id| !changed.contains(id)).cloned().collect();
    Ok(Reported { down, steady, wired })
}

impl Plugin {
    fn app(&self) -> &App {
        &self.0
    }

    /// The ports that devices are, and what is known of them.
    async fn read(&self, devices: &[Value]) -> Result<(Vec<Named>, BTreeMap<String, Port>), Stop> {
        let mut tx = self.app().db.read().await?;
        let named = device::ports(&mut tx, devices).await?;
        let ids: Vec<String> = named.iter().filter_map(|(_, id)| id.clone()).collect();
        let ports = load(&mut tx, &ids).await?;
        Ok((named, ports))
    }

    /// Details of devices in the order asked for; ports asked about by their own agent are being built.
    async fn details(&self, devices: &[Value], host: Option<&str>) -> Result<Vec<Value>, Stop> {
        let ctx = Context::admin();
        let (named, mut ports) = self.read(devices).await?;
        // A port that was made before its agent reported could not be bound then.
        let waits = |port: &&Port| !port.standing.bound && host == Some(port.standing.host.as_str());
        let unbound: Vec<String> = ports.values().filter(waits).map(|port| port.id.clone()).collect();
        for port in &unbound {
            bind(Rq { app: self.app(), ctx: &ctx }, port).await?;
        }
        if !unbound.is_empty() {
            ports = self.read(devices).await?.1;
        }
        let wanted: BTreeMap<String, &'static str> = ports
            .values()
            .filter(|port| port.standing.bound)
            .filter_map(|port| Some((port.id.clone(), port.next_status(host)?)))
            .collect();
        if !wanted.is_empty() {
            let input = Statuses { rq: Rq { app: self.app(), ctx: &ctx }, wanted };
            self.app().write(store_statuses, &input).await?;
        }
        let answer = |(device, id): &Named| {
            let port = id.as_ref().and_then(|id| ports.get(id));
            port.map_or_else(|| json!({"device": device}), |port| port.answer(device, host))
        };
        Ok(named.iter().map(answer).collect())
    }

    async fn failed_or_details(&self, args: &Args) -> Value {
        let devices = args.values("devices");
        match self.details(devices, args.opt("host")).await {
            Ok(details) => json!({"devices": details, "failed_devices": []}),
            Err(stop) => {
                tracing::error!(?stop, "details of devices could not be read");
                json!({"devices": [], "failed_devices": devices})
            }
        }
    }

    async fn reported(
        &self,
        up: &[Value],
        down: &[Value],
        host: Option<&str>,
        refresh: bool,
    ) -> Result<Reported, Stop> {
        let ctx = Context::admin();
        let rq = Rq { app: self.app(), ctx: &ctx };
        let done = self.app().write(report, &Report { rq, up, down, host }).await?;
        // Ports that became ACTIVE are announced: the notifier tells of them. The others have to be told of
        // here, as does everything when the agent lost what it knew.
        if let Some(host) = host {
            let ports = if refresh { &done.wired } else { &done.steady };
            l2pop::wired(self.app(), host, ports, refresh).await?;
        }
        Ok(done)
    }

    async fn update_device_list(&self, args: &Args) -> Result<Value, Failure> {
        let (up, down) = (args.values("devices_up"), args.values("devices_down"));
        let refresh = args.flag("refresh_tunnels") || args.flag("agent_restarted");
        match self.reported(up, down, args.opt("host"), refresh).await {
            Ok(done) => Ok(json!({
                "devices_up": up, "failed_devices_up": [], "failed_devices_down": [],
                "devices_down": done.down.iter().map(gone).collect::<Vec<_>>(),
            })),
            Err(stop) => {
                tracing::error!(?stop, "an agent's report could not be stored");
                Ok(json!({"devices_up": [], "failed_devices_up": up,
                          "devices_down": [], "failed_devices_down": down}))
            }
        }
    }

    async fn ports_of_vnic_type(&self, args: &Args) -> Result<Value, Failure> {
        let query = of_vnic_type(args.text("vnic_type")?, args.text("host")?);
        let ctx = Context::admin();
        let rq = Rq { app: self.app(), ctx: &ctx };
        let mut tx = self.app().db.read().await.map_err(failure)?;
        let found = bodies(rq, &mut tx, "port", |_| query).await.map_err(failure)?;
        Ok(found.into_iter().map(Value::Object).collect())
    }

    async fn get_network_details(&self, args: &Args) -> Result<Value, Failure> {
        let id = args.text("network")?;
        let ctx = Context::admin();
        let rq = Rq { app: self.app(), ctx: &ctx };
        let mut tx = self.app().db.read().await.map_err(failure)?;
        let found = bodies(rq, &mut tx, "network", |r| Query::by(r, "id", id)).await.map_err(failure)?;
        let missing = || super::refused(&crate::fault::Fault::NetworkNotFound { net_id: id.to_string() });
        found.into_iter().next().map(Value::Object).ok_or_else(missing)
    }
}

/// The ports of one kind of interface on a host: active bindings and those that are being moved there.
fn of_vnic_type(vnic_type: &str, host: &str) -> Query {
    let sql = "EXISTS (SELECT 1 FROM ml2_port_bindings AS v WHERE v.port_id = ports.id AND v.vnic_type = ? \
               AND v.host = ?)";
    Query {
        wheres: vec![Condition { sql: sql.into(), params: vec![vnic_type.into(), host.into()] }],
        ..Query::default()
    }
}

fn gone((device, port): &Named) -> Value {
    json!({"device": device, "exists": port.is_some()})
}

impl Endpoint for Plugin {
    fn version(&self) -> &str {
        "1.9"
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        Box::pin(async move {
            let args = Args(args);
            let host = args.opt("host");
            let one: Vec<Value> = args.0.get("device").into_iter().cloned().collect();
            match method {
                "get_device_details" => {
                    let details = self.details(&one, host).await.map_err(failure)?;
                    Ok(details.into_iter().next().unwrap_or(Value::Null))
                }
                "get_devices_details_list" => {
                    self.details(args.values("devices"), host).await.map(Value::Array).map_err(failure)
                }
                "get_devices_details_list_and_failed_devices" => Ok(self.failed_or_details(&args).await),
                "update_device_up" => {
                    let refresh = args.flag("refresh_tunnels") || args.flag("agent_restarted");
                    self.reported(&one, &[], host, refresh).await.map_err(failure)?;
                    Ok(Value::Null)
                }
                "update_device_down" => {
                    let done = self.reported(&[], &one, host, false).await.map_err(failure)?;
                    Ok(done.down.first().map_or(Value::Null, gone))
                }
                "update_device_list" => self.update_device_list(&args).await,
                "tunnel_sync" => super::tunnel::tunnel_sync(self.app(), &args).await,
                "get_network_details" => self.get_network_details(&args).await,
                "get_ports_by_vnic_type_and_host" => self.ports_of_vnic_type(&args).await,
                _ => Err(Failure::no_such_method(method)),
            }
        })
    }
}
