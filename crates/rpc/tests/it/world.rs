//! The broker of the tests, and servers that answer what tests ask.

pub use crate::raw::{patient, url};
use oslo::config::Config;
use rpc::{Answer, Call, Client, Endpoint, Error, Failure, Target, Transport};
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A name that no other test and no other run has: exchanges and queues of all tests share a broker.
pub fn name(stem: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let (pid, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("{stem}-{pid}-{}-{n}", since.as_micros())
}

/// A process of the exchange `exchange`, with options of `[oslo_messaging_rabbit]`.
pub fn process(url: &str, exchange: &str, options: &str) -> Transport {
    let text = format!(
        "[DEFAULT]\ntransport_url = {url}\ncontrol_exchange = {exchange}\n[oslo_messaging_rabbit]\n{options}\n"
    );
    Transport::from_config(&Config::parse("neutron.conf", &text)).unwrap()
}

/// A server that answers by its name and remembers what it heard.
pub struct Ear {
    name: &'static str,
    heard: Mutex<Vec<(String, Value)>>,
    news: tokio::sync::Notify,
}

impl Ear {
    pub fn new(name: &'static str) -> Arc<Ear> {
        Arc::new(Ear { name, heard: Mutex::default(), news: tokio::sync::Notify::new() })
    }

    pub fn heard(&self) -> Vec<(String, Value)> {
        self.heard.lock().unwrap().clone()
    }

    /// The argument `n` of everything heard, sorted.
    pub fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.heard().iter().filter_map(|(_, args)| args["n"].as_u64()).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Waits until it has heard so many messages.
    pub async fn hears(&self, count: usize) {
        let enough = async {
            loop {
                let news = self.news.notified();
                if self.heard().len() >= count {
                    return;
                }
                news.await;
            }
        };
        patient(enough).await;
    }
}

impl Endpoint for Ear {
    fn version(&self) -> &str {
        "1.4"
    }
    fn dispatch<'a>(&'a self, Call { ctx, method, args }: Call<'a>) -> Answer<'a> {
        Box::pin(async move {
            self.heard.lock().unwrap().push((method.to_string(), Value::Object(args.clone())));
            self.news.notify_waiters();
            match method {
                "echo" => Ok(json!({"from": self.name, "args": args, "request_id": ctx["request_id"]})),
                "nothing" => Ok(Value::Null),
                "slow" => {
                    tokio::time::sleep(Duration::from_millis(1200)).await;
                    Ok(json!("slept"))
                }
                "value_error" => {
                    let (class, module) = ("ValueError".to_string(), "builtins".to_string());
                    Err(Failure { class, module, message: "odd".into(), kwargs: Map::new() })
                }
                "refuse" => {
                    let kwargs = json!({"net_id": "n1"}).as_object().cloned().unwrap();
                    Err(Failure::neutron("NetworkNotFound", "Network n1 could not be found.", kwargs))
                }
                _ => Err(Failure::no_such_method(method)),
            }
        })
    }
}

pub async fn ask(client: &Client, target: &Target, method: &str, args: Value) -> Result<Value, Error> {
    let context = json!({"request_id": "req-1", "roles": ["admin"]});
    client.call(&context, target, method, "1.4", args).await
}

pub async fn tell(client: &Client, target: &Target, method: &str, args: Value) {
    client.cast(&json!({}), target, method, "1.0", args).await.unwrap();
}

/// Waits until every listener of the process listens.
pub async fn up(transport: &Transport) {
    let mut status = transport.watch();
    patient(async { status.wait_for(|status| status.up).await.map(|_| ()).unwrap() }).await;
}
