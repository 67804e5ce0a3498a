//! The server as an agent sees it: calls to one topic in the agent's own name, and regular reports of being
//! alive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oslo::context::Context;
use rpc::{Client, Error, Target};
use serde_json::{Value, json};

/// Where reports of all agents go.
const REPORTS_TOPIC: &str = "q-reports-plugin";
const REPORT_VERSION: &str = "1.4";

/// One topic of the server.
#[derive(Clone)]
pub struct Plugin {
    client: Client,
    topic: Target,
}

impl Plugin {
    /// The server's `topic`.
    pub fn new(client: Client, topic: &str) -> Plugin {
        Plugin { client, topic: Target::topic(topic) }
    }

    /// Calls a method with a request id of its own and waits for the answer.
    ///
    /// # Errors
    /// When the server raises an exception or does not answer in time.
    pub async fn call(&self, method: &str, version: &str, args: Value) -> Result<Value, Error> {
        self.client.call(&context(), &self.topic, method, version, args).await
    }
}

fn context() -> Value {
    let context = Context { request_id: format!("req-{}", uuid::Uuid::new_v4()), ..Context::admin() };
    Value::Object(context.to_message())
}

/// Numbers of a report that change while the agent runs: `routers`, `networks` …
#[derive(Clone, Default)]
pub struct Counters(Arc<Mutex<BTreeMap<&'static str, usize>>>);

impl Counters {
    /// Sets all of them.
    pub fn set(&self, counters: impl IntoIterator<Item = (&'static str, usize)>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(counters);
    }

    fn add_to(&self, configurations: &mut Value) {
        for (name, value) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            configurations[*name] = json!(value);
        }
    }
}

/// What an agent says about itself.
#[derive(Debug, Clone)]
pub struct AgentState {
    /// `neutron-l3-agent`
    pub binary: &'static str,
    /// The host's name.
    pub host: String,
    /// `l3_agent`
    pub topic: &'static str,
    /// `L3 agent`
    pub agent_type: &'static str,
    /// The agent's settings that the server should know.
    pub configurations: Value,
    /// The agent's availability zone.
    pub availability_zone: String,
}

/// Reports every `interval` for ever. The first report says that the agent was started. `known` is called after
/// the first report, before which a server may not know the agent and give it nothing to do, and again when the
/// server had taken the agent for dead.
pub async fn report_for_ever(
    client: Client,
    state: AgentState,
    counters: Counters,
    interval: Duration,
    known: impl Fn(),
) {
    let plugin = Plugin::new(client.with_timeout(interval), REPORTS_TOPIC);
    let uuid = uuid::Uuid::new_v4().to_string();
    let (mut first, mut started, mut failed) = (true, true, false);
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut configurations = state.configurations.clone();
        counters.add_to(&mut configurations);
        let mut said = json!({
            "binary": state.binary, "host": state.host, "topic": state.topic, "agent_type": state.agent_type,
            "availability_zone": state.availability_zone, "uuid": uuid, "configurations": configurations,
        });
        if started {
            said["start_flag"] = json!(true);
        }
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        let args = json!({"agent_state": {"agent_state": said}, "time": now});
        match plugin.call("report_state", REPORT_VERSION, args).await {
            Ok(answer) => {
                if failed {
                    tracing::info!(agent = state.binary, "state reports get through again");
                }
                (started, failed) = (false, false);
                if answer == "revived" && !first {
                    known();
                }
            }
            Err(e) => {
                tracing::warn!(agent = state.binary, "state report failed: {e}");
                failed = true;
            }
        }
        if std::mem::take(&mut first) {
            known();
        }
    }
}
