//! The loop of the agents with namespaces: what the server says is read again when a message, a failure or the
//! clock asks for it, and the host is made to match.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, sleep_until};

use crate::alarm::changed;
use crate::inbox::{Inbox, Notes};
use crate::metrics;
use crate::plugin::{AgentState, Counters, report_for_ever};

/// After so many looks at the host the server is asked for everything.
const FULL_AUDITS: usize = 60;
/// Looks that the switch asks for are at least so far apart: a port that it refuses comes and goes all the time.
const SWITCH_PAUSE: Duration = Duration::from_secs(1);

/// What an agent does in a round of its loop.
pub(crate) trait Reconciler: Send {
    /// What messages leave behind.
    type Notes: Notes;
    /// Looks again where notes ask for it.
    fn look_again(&mut self, notes: Self::Notes) -> impl Future<Output = ()> + Send;
    /// Forgets a part of what is known of the host, the `number`th, so that the next look reads it.
    fn forget(&mut self, number: usize);
    /// Looks whether the host still is as it was left, and tries again what failed.
    fn audit(&mut self) -> impl Future<Output = ()> + Send;
    /// What follows every round: what is still to be told, what is counted. False when something failed and is
    /// to be tried again.
    fn conclude(&mut self) -> impl Future<Output = bool> + Send;
}

/// What every such agent is, beside its work.
pub(crate) struct Service<'a, N> {
    /// The way to the server.
    pub transport: &'a rpc::Transport,
    /// The topics on which the server speaks to it.
    pub topics: &'a [&'a str],
    /// Where messages leave notes.
    pub inbox: Inbox<N>,
    /// What it says of itself.
    pub state: AgentState,
    /// Numbers that change.
    pub counters: Counters,
    /// Between reports.
    pub report_interval: Duration,
    /// Between looks at the host.
    pub resync_interval: Duration,
    /// Asks for a look at the host whenever it changes.
    pub changes: Option<watch::Receiver<()>>,
}

impl<N: Notes> Service<'_, N> {
    /// Serves with `agent` for ever. Messages are listened for before the first look: nothing may come unseen in
    /// between.
    pub(crate) async fn run(self, mut agent: impl Reconciler<Notes = N>) {
        let Service { transport, topics, inbox, state, counters, report_interval, resync_interval, changes } =
            self;
        let host = state.host.clone();
        let _listeners: Vec<_> = topics
            .iter()
            .map(|topic| transport.listen(topic, &host, vec![Arc::new(inbox.clone())]))
            .collect();
        let binary = state.binary;
        let again = inbox.clone();
        let reports = report_for_ever(transport, state, counters, report_interval, move || again.want_all());
        tokio::select! {
            () = reports => {}
            () = rounds(binary, &mut agent, &inbox, resync_interval, changes) => {}
        }
    }
}

/// Waits until there is something to look at: the switch changed, or the last look at it is to be taken once more.
async fn switched(not_before: tokio::time::Instant, retry: bool, changes: &mut Option<watch::Receiver<()>>) {
    sleep_until(not_before).await;
    if !retry {
        changed(changes).await;
    }
}

/// What a round was asked for by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Message,
    Clock,
    Switch,
}

async fn rounds<R: Reconciler>(
    binary: &'static str,
    agent: &mut R,
    inbox: &Inbox<R::Notes>,
    every: Duration,
    mut changes: Option<watch::Receiver<()>>,
) {
    let mut audits = tokio::time::interval(every);
    audits.set_missed_tick_behavior(MissedTickBehavior::Delay);
    audits.tick().await;
    let mut audit = 0_usize;
    let (mut not_before, mut retry) = (tokio::time::Instant::now(), false);
    loop {
        let cause = tokio::select! {
            () = inbox.woken() => Cause::Message,
            _ = audits.tick() => Cause::Clock,
            () = switched(not_before, retry, &mut changes) => Cause::Switch,
        };
        let started = Instant::now();
        match cause {
            Cause::Message => agent.look_again(inbox.take()).await,
            Cause::Clock => {
                audit = audit.wrapping_add(1);
                if audit.is_multiple_of(FULL_AUDITS) {
                    let mut notes = inbox.take();
                    notes.want_all();
                    agent.look_again(notes).await;
                } else {
                    agent.forget(audit);
                    agent.audit().await;
                }
            }
            Cause::Switch => {
                agent.audit().await;
                not_before = tokio::time::Instant::now() + SWITCH_PAUSE;
            }
        }
        let worked = agent.conclude().await;
        if cause == Cause::Switch {
            // What a switch that starts has not made yet is there a moment later.
            retry = !worked && !retry;
        }
        metrics::pass(binary, started, worked);
    }
}
