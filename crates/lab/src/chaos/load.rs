//! Load on the API, with a ledger of what was acknowledged: each of it must be in the database at the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::host::Host;
use crate::services::http::Target;

/// Requests at once.
const WORKERS: usize = 4;
/// Ports that a worker keeps before it deletes its oldest.
const KEPT_MAX: usize = 30;
/// Between two requests of a worker.
const PAUSE: Duration = Duration::from_millis(20);
/// After a request that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What was asked for and what came of it.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Ports whose creation was acknowledged, and their MAC addresses.
    pub created: BTreeMap<String, String>,
    /// Ports whose deletion was acknowledged.
    pub deleted: BTreeSet<String>,
    /// Ports whose deletion was asked for and not answered.
    pub doubtful: BTreeSet<String>,
    /// Requests that were acknowledged.
    pub acknowledged: u64,
    /// Requests that were not, by what was said.
    pub failed: BTreeMap<String, u64>,
    /// The longest time without an acknowledgement.
    pub longest_silence: Duration,
    last: Option<Instant>,
}

impl Ledger {
    fn success(&mut self) {
        self.acknowledged += 1;
        let now = Instant::now();
        if let Some(last) = self.last {
            self.longest_silence = self.longest_silence.max(now - last);
        }
        self.last = Some(now);
    }

    /// Requests that were not acknowledged.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// What is wrong with a list of ports that are there: acknowledged ones that are missing, deleted ones that
    /// are not.
    pub fn faults(&self, there: &BTreeSet<String>) -> Vec<String> {
        let gone = |id: &String| self.deleted.contains(id) || self.doubtful.contains(id);
        let lost = self.created.keys().filter(|id| !gone(id) && !there.contains(*id));
        let back = self.deleted.iter().filter(|id| there.contains(*id));
        lost.map(|id| format!("{id} was acknowledged and is not there"))
            .chain(back.map(|id| format!("{id} was deleted and is there")))
            .collect()
    }
}

/// Load that goes on until it is stopped.
pub struct Load {
    ledger: Arc<Mutex<Ledger>>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

/// Who asks, where, for what.
#[derive(Clone)]
pub struct Order {
    /// The host that the requests come from.
    pub host: Arc<Host>,
    /// Neutron's API.
    pub api: SocketAddr,
    /// An administrator's token.
    pub token: String,
    /// The network whose ports are made and deleted.
    pub network: String,
}

impl Order {
    /// Where its requests go.
    pub fn target(&self) -> Target {
        Target { address: self.api, prefix: "/v2.0".to_owned(), token: Some(self.token.clone()) }
    }
}

impl Load {
    /// Starts it.
    pub fn start(order: &Order) -> Load {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let worker = |_| {
            let (order, ledger, stop) = (order.clone(), ledger.clone(), stop.clone());
            std::thread::spawn(move || work(&order, &ledger, &stop))
        };
        let workers = (0..WORKERS).map(worker).collect();
        Load { ledger, stop, workers }
    }

    /// What has been done so far.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Stops it, and waits for the answers that are on their way.
    pub fn stop(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            // A worker that broke has nothing in its hands: the ledger tells what it did.
            let _ = worker.join();
        }
        std::mem::take(&mut lock(&self.ledger))
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(order: &Order, ledger: &Mutex<Ledger>, stop: &AtomicBool) {
    let target = order.target();
    let mut kept = VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        let done = create(order, &target, ledger, &mut kept).and_then(|()| {
            if kept.len() > KEPT_MAX { delete(order, &target, ledger, &mut kept) } else { Ok(()) }
        });
        match done {
            Ok(()) => std::thread::sleep(PAUSE),
            Err(why) => {
                *lock(ledger).failed.entry(why).or_default() += 1;
                std::thread::sleep(PAUSE_AFTER_FAILURE);
            }
        }
    }
}

fn create(
    order: &Order,
    target: &Target,
    ledger: &Mutex<Ledger>,
    kept: &mut VecDeque<String>,
) -> Result<(), String> {
    let body = json!({"port": {"network_id": order.network}});
    let answer = target.send(&order.host, "POST", "/ports", Some(&body)).map_err(|why| short(&why))?;
    if answer.status != 201 {
        return Err(format!("POST {}", answer.status));
    }
    let port = answer.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (id, mac) = (text(&port["port"]["id"]), text(&port["port"]["mac_address"]));
    let mut ledger = lock(ledger);
    ledger.success();
    ledger.created.insert(id.clone(), mac);
    kept.push_back(id);
    Ok(())
}

fn delete(
    order: &Order,
    target: &Target,
    ledger: &Mutex<Ledger>,
    kept: &mut VecDeque<String>,
) -> Result<(), String> {
    let Some(id) = kept.pop_front() else { return Ok(()) };
    // It may be done and not answered.
    lock(ledger).doubtful.insert(id.clone());
    let answer =
        target.send(&order.host, "DELETE", &format!("/ports/{id}"), None).map_err(|why| short(&why))?;
    if answer.status != 204 {
        return Err(format!("DELETE {}", answer.status));
    }
    let mut ledger = lock(ledger);
    ledger.success();
    ledger.doubtful.remove(&id);
    ledger.deleted.insert(id);
    Ok(())
}

/// What went wrong, without what differs from request to request.
fn short(why: &str) -> String {
    let method = why.split(' ').next().unwrap_or_default();
    let words = why.rsplit(": ").next().unwrap_or(why);
    format!("{method}: {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_tells_what_is_missing_and_what_is_back() {
        let mut ledger = Ledger::default();
        for id in ["a", "b", "c", "d"] {
            ledger.created.insert(id.to_owned(), String::new());
        }
        ledger.deleted.insert("b".to_owned());
        ledger.doubtful.insert("c".to_owned());
        let there = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        assert!(ledger.faults(&there(&["a", "d", "other"])).is_empty());
        assert!(ledger.faults(&there(&["a", "c", "d"])).is_empty());
        assert_eq!(ledger.faults(&there(&["a", "b"])).len(), 2);
    }

    #[test]
    fn failures_are_told_apart_by_their_words() {
        assert_eq!(short("POST /v2.0/ports at 1.2.3.4:9696: Connection refused"), "POST: Connection refused");
    }
}
