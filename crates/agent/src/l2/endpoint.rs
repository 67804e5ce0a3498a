//! What the server tells L2 agents. A message only leaves a note in the inbox and wakes the
//! agent; what it does is decided by looking.

use std::collections::BTreeSet;
use std::sync::Arc;

use rpc::{Answer, Call, Endpoint, Failure, Listener, Transport};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::view::{FdbMessage, TunnelMessage};
use crate::inbox::Inbox;

/// The topics an L2 agent listens to.
const TOPICS: &[&str] = &[
    "q-agent-notifier-port-update",
    "q-agent-notifier-port-delete",
    "q-agent-notifier-network-delete",
    "q-agent-notifier-network-update",
    "q-agent-notifier-security_group-update",
    "q-agent-notifier-port_binding-activate",
    "q-agent-notifier-port_binding-deactivate",
    "q-agent-notifier-l2population-update",
];
/// The topics of agents that have tunnels to every host.
const TUNNEL_TOPICS: &[&str] = &["q-agent-notifier-tunnel-update", "q-agent-notifier-tunnel-delete"];
/// Forwarding messages kept; more of them mean that the agent does not keep up, and a full
/// refresh is cheaper.
const FDB_MESSAGES_MAX: usize = 5_000;
/// Messages about tunnels kept; with more of them all ends are asked for again.
const TUNNEL_MESSAGES_MAX: usize = 5_000;

/// Notes for the agent's next pass.
#[derive(Debug, Default, PartialEq)]
pub struct Notes {
    /// Ports to ask about again, by id.
    pub ports: BTreeSet<String>,
    /// Networks whose ports to ask about again, by id.
    pub networks: BTreeSet<String>,
    /// Networks that are no more, by id.
    pub deleted_networks: BTreeSet<String>,
    /// Ports to be unplugged: no longer bound here. By id.
    pub deactivated: BTreeSet<String>,
    /// Groups whose rules or members changed, by id.
    pub groups: BTreeSet<String>,
    /// Forwarding entries, in order.
    pub fdb: Vec<FdbMessage>,
    /// Ends of tunnels, in order.
    pub tunnels: Vec<TunnelMessage>,
    /// Too much came: ask for everything.
    pub resync: bool,
}

/// Begins to listen on all topics of an L2 agent on `host`; with `tunnels`, on what is said of their ends too.
#[must_use]
pub fn listen(transport: &Transport, host: &str, inbox: &Inbox<Notes>, tunnels: bool) -> Vec<Listener> {
    let endpoint =
        || Arc::new(L2Endpoint { inbox: inbox.clone(), host: host.to_owned() }) as Arc<dyn Endpoint>;
    let more = if tunnels { TUNNEL_TOPICS } else { &[] };
    TOPICS.iter().chain(more).map(|topic| transport.listen(topic, host, vec![endpoint()])).collect()
}

struct L2Endpoint {
    inbox: Inbox<Notes>,
    host: String,
}

impl Endpoint for L2Endpoint {
    /// As upstream's Linux bridge agent of 2024.2.
    fn version(&self) -> &str {
        "1.5"
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        Box::pin(async move {
            self.take(method, args)?;
            Ok(Value::Null)
        })
    }
}

/// The argument `name` of a method.
fn arg<T: DeserializeOwned>(args: &mut Map<String, Value>, name: &str) -> Result<T, Failure> {
    let value = args.remove(name).unwrap_or_default();
    serde_json::from_value(value).map_err(|e| Failure::internal(format!("argument {name}: {e}")))
}

/// The `id` of the object that is the argument `name`.
fn id_in(args: &Map<String, Value>, name: &str) -> Result<String, Failure> {
    let id = args.get(name).and_then(|object| object.get("id")).and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| Failure::internal(format!("argument {name} has no id")))
}

impl L2Endpoint {
    fn take(&self, method: &str, mut args: Map<String, Value>) -> Result<(), Failure> {
        match method {
            "port_update" => {
                let id = id_in(&args, "port")?;
                self.inbox.note(|notes| _ = notes.ports.insert(id));
            }
            "port_delete" => {
                let id = arg(&mut args, "port_id")?;
                self.inbox.note(|notes| _ = notes.ports.insert(id));
            }
            "binding_activate" | "binding_deactivate" => {
                let (id, host): (String, String) = (arg(&mut args, "port_id")?, arg(&mut args, "host")?);
                if host == self.host {
                    self.inbox.note(|notes| match method {
                        "binding_activate" => _ = notes.ports.insert(id),
                        _ => _ = notes.deactivated.insert(id),
                    });
                }
            }
            "network_delete" => {
                let id = arg(&mut args, "network_id")?;
                self.inbox.note(|notes| _ = notes.deleted_networks.insert(id));
            }
            "network_update" => {
                let id = id_in(&args, "network")?;
                self.inbox.note(|notes| _ = notes.networks.insert(id));
            }
            "security_groups_rule_updated" | "security_groups_member_updated" => {
                let ids: Vec<String> = arg(&mut args, "security_groups")?;
                self.inbox.note(|notes| notes.groups.extend(ids));
            }
            // Liberty's server names devices; which they are is not worth telling apart.
            "security_groups_provider_updated" => self.inbox.note(|notes| notes.resync = true),
            "add_fdb_entries" => self.fdb(FdbMessage::Add(arg(&mut args, "fdb_entries")?)),
            "remove_fdb_entries" => self.fdb(FdbMessage::Remove(arg(&mut args, "fdb_entries")?)),
            "update_fdb_entries" => self.fdb(FdbMessage::Update(arg(&mut args, "fdb_entries")?)),
            "tunnel_update" | "tunnel_delete" => {
                let (tunnel_type, tunnel_ip) = (arg(&mut args, "tunnel_type")?, arg(&mut args, "tunnel_ip")?);
                let message = TunnelMessage { tunnel_type, tunnel_ip, gone: method == "tunnel_delete" };
                self.inbox.note(|notes| {
                    if notes.tunnels.len() < TUNNEL_MESSAGES_MAX {
                        notes.tunnels.push(message);
                    } else {
                        notes.resync = true;
                    }
                });
            }
            _ => return Err(Failure::no_such_method(method)),
        }
        Ok(())
    }

    fn fdb(&self, message: FdbMessage) {
        self.inbox.note(|notes| {
            if notes.fdb.len() < FDB_MESSAGES_MAX {
                notes.fdb.push(message);
            } else {
                notes.resync = true;
            }
        });
    }
}
