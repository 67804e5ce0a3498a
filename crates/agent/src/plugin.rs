//! The server as an agent sees it: calls to one topic in the agent's own name, and regular reports of being
//! alive.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oslo::context::Context;
use rpc::{Client, Error, Target};
use serde_json::{Value, json};

use crate::metrics;

/// Where reports of all agents go.
const REPORTS_TOPIC: &str = "q-reports-plugin";
/// The first version that has the method: 25.2.3 serves 1.3 and 29.0.0 1.4, and refuse a later one.
const REPORT_VERSION: &str = "1.0";

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
        ask(&self.client, &context(), &self.topic, method, version, args).await
    }
}

/// How long the first tries of a call wait; the last one waits as long as the client says.
const FIRST_TRIES: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(20)];

/// Calls, and calls again when no answer comes: a server that ended with the question in its hands never answers,
/// and the one after it does not know of it. What agents ask may be asked twice, the making of a port apart: whoever
/// looks again afterwards finds it made.
///
/// # Errors
/// As [`Client::call`].
pub(crate) async fn ask(
    client: &Client,
    context: &Value,
    topic: &Target,
    method: &str,
    version: &str,
    args: Value,
) -> Result<Value, Error> {
    for patience in FIRST_TRIES.into_iter().filter(|patience| *patience < client.timeout()) {
        let answer = client.with_timeout(patience).call(context, topic, method, version, args.clone()).await;
        match answer {
            Err(Error::Timeout { .. }) if !method.starts_with("create_") => {
                tracing::warn!(method, "no answer within {} s: asking again", patience.as_secs());
            }
            answer => return answer,
        }
    }
    client.call(context, topic, method, version, args).await
}

fn context() -> Value {
    let context = Context { request_id: format!("req-{}", uuid::Uuid::new_v4()), ..Context::admin() };
    Value::Object(context.to_message())
}

/// What of a report changes while the agent runs.
#[derive(Clone, Default)]
pub struct Counters(Arc<Changing>);

#[derive(Default)]
struct Changing {
    /// `routers`, `networks` …
    numbers: Mutex<BTreeMap<&'static str, usize>>,
    /// Still at its first look at everything.
    starting: AtomicBool,
}

impl Counters {
    /// Sets all of them.
    pub fn set(&self, counters: impl IntoIterator<Item = (&'static str, usize)>) {
        self.0.numbers.lock().unwrap_or_else(PoisonError::into_inner).extend(counters);
    }

    /// Says whether the agent is still at its first look at everything: until then it reports as just started.
    pub fn starting(&self, starting: bool) {
        self.0.starting.store(starting, Ordering::Relaxed);
    }

    fn add_to(&self, configurations: &mut Value) {
        for (name, value) in self.0.numbers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
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
    /// The agent's availability zone; only DHCP and L3 agents have one.
    pub availability_zone: Option<String>,
}

impl AgentState {
    /// The report as upstream's agents write it.
    fn report(&self, counters: &Counters, started: bool) -> Value {
        let mut configurations = self.configurations.clone();
        counters.add_to(&mut configurations);
        let mut said = json!({
            "binary": self.binary, "host": self.host, "topic": self.topic, "agent_type": self.agent_type,
            "configurations": configurations, "uuid": uuid::Uuid::new_v4().to_string(),
        });
        if let Some(zone) = &self.availability_zone {
            said["availability_zone"] = json!(zone);
        }
        if started {
            said["start_flag"] = json!(true);
        }
        said
    }
}

/// How soon a report is tried again that did not get through: a server that has just started is to know its agents.
const REPORT_AGAIN: Duration = Duration::from_secs(2);
/// How long a report waits for its answer at most, whatever the interval is.
const REPORT_ANSWER_MAX: Duration = Duration::from_secs(10);

/// Reports every `interval` for ever, and as soon as the broker is there again after it was gone. The first
/// reports say that the agent was started. `look_again` is called after the first report, before which a server
/// may not know the agent and give it nothing to do, and whenever messages may have been missed: the server had
/// taken the agent for dead, it or the broker was gone.
pub async fn report_for_ever(
    transport: &rpc::Transport,
    state: AgentState,
    counters: Counters,
    interval: Duration,
    look_again: impl Fn(),
) {
    let client = transport.client().with_timeout(interval.min(REPORT_ANSWER_MAX));
    let plugin = Plugin::new(client, REPORTS_TOPIC);
    let (mut first, mut started, mut failed) = (true, true, false);
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut reconnects = transport.reconnects();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = reconnects.wait() => {
                tracing::info!(agent = state.binary, "messages may have been missed: looking at everything again");
                look_again();
            }
        }
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        let said = state.report(&counters, started);
        let args = json!({"agent_state": {"agent_state": said}, "time": now});
        let answer = plugin.call("report_state", REPORT_VERSION, args).await;
        metrics::report(state.binary, answer.is_ok());
        match answer {
            Ok(answer) => {
                if failed {
                    tracing::info!(agent = state.binary, "state reports get through again");
                }
                if answer == "revived" && !first {
                    tracing::info!(agent = state.binary, "the server took this agent for dead");
                }
                if !first && (failed || answer == "revived") {
                    look_again();
                }
                failed = false;
                started &= counters.0.starting.load(Ordering::Relaxed);
            }
            Err(e) => {
                tracing::warn!(agent = state.binary, "state report failed: {e}");
                failed = true;
                ticks.reset_after(interval.min(REPORT_AGAIN));
            }
        }
        if std::mem::take(&mut first) {
            look_again();
        }
    }
}
