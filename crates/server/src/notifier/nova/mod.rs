//! Tells Nova of its ports: it waits for `network-vif-plugged` before it starts an instance.
//!
//! Events are queued and sent in batches by a task of their own: a Nova that is down, or slow, neither fails nor
//! delays anything else. The queue is bounded, and what has become too old to matter is dropped.

pub mod events;
pub mod queue;

use crate::app::App;
use crate::db::{Stop, Val, marks};
use crate::keystone::{Credentials, Http, Session, Token, Trouble, credentials, http, options, session};
use crate::notify::Change;
use ::http::Method;
use events::{Device, Event};
use oslo::config::{Config, Opt, Problem};
use queue::Queue;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Nova in catalogs.
const SERVICE_TYPE: &str = "compute";
/// Events that one request carries.
const EVENTS_PER_REQUEST_MAX: usize = 200;

oslo::options! {
    /// What Nova hears of, and how Nova was named before there was `[nova]`.
    pub struct NovaOptions in "DEFAULT" {
        /// Whether Nova is told that ports became ACTIVE or DOWN.
        notify_nova_on_port_status_changes: bool = true;
        /// Whether Nova is told that ports or their floating IPs changed.
        notify_nova_on_port_data_changes: bool = true;
        /// Seconds between two batches of events.
        send_events_interval: u64 = 2;
        /// How often a request that did not reach Nova is sent again before it waits for its next turn.
        http_retries: u32 = 3;
        /// Where Nova is, where the catalog does not say; of releases before [nova].
        nova_url: Option<String> = None;
        /// Before [nova] region_name.
        nova_region_name: Option<String> = None;
        /// Before [nova] username.
        nova_admin_username: Option<String> = None;
        /// Before [nova] password.
        nova_admin_password: Option<String> = None;
        /// Before [nova] project_id.
        nova_admin_tenant_id: Option<String> = None;
        /// Before [nova] project_name.
        nova_admin_tenant_name: Option<String> = None;
        /// Before [nova] auth_url.
        nova_admin_auth_url: String = "http://localhost:5000/v2.0".into();
        /// Before [nova] cafile.
        nova_ca_certificates_file: Option<String> = None;
        /// Before [nova] insecure.
        nova_api_insecure: bool = false;
    }
}

oslo::options! {
    /// Where Nova is.
    pub struct NovaPlace in "nova" {
        /// The region of Nova's endpoint; unset = the first.
        region_name: Option<String> = None;
        /// Which endpoint of Nova's: public, internal or admin.
        endpoint_type: String = "public".into();
        /// Seconds that Nova may take to answer; unset = 30.
        timeout: Option<f64> = None;
    }
}

/// Every option that is read here.
pub fn declared() -> Vec<Opt> {
    [NovaOptions::declared(), NovaPlace::declared(), options::NovaService::declared()].concat()
}

/// The first value of [`declared`] that cannot be read.
pub fn unreadable(config: &Config) -> Option<Problem> {
    let all = [
        NovaOptions::load(config).err(),
        NovaPlace::load(config).err(),
        options::NovaService::load(config).err(),
    ];
    all.into_iter().flatten().next()
}

/// The way to Nova.
#[derive(Debug)]
pub struct Nova {
    options: NovaOptions,
    place: NovaPlace,
    session: Session,
    /// Where Nova is without a look at the catalog.
    endpoint: Option<String>,
    queue: Queue,
}

impl Nova {
    /// The way to Nova that a configuration says; none where it says none, or that Nova is not to be told.
    ///
    /// # Errors
    /// What is wrong with the configuration, and what to do.
    pub fn load(config: &Config) -> Result<Option<Arc<Nova>>, String> {
        let words = |p: Problem| p.to_string();
        let options = NovaOptions::load(config).map_err(words)?;
        let mut place = NovaPlace::load(config).map_err(words)?;
        let mut service = credentials::nova(config)?;
        if !options.notify_nova_on_port_status_changes && !options.notify_nova_on_port_data_changes {
            return Ok(None);
        }
        let mut endpoint = None;
        if service.auth_url.is_none() && service.username.is_none() && service.user_id.is_none() {
            let Some(user) = options.nova_admin_username.clone() else {
                tracing::info!("[nova] auth_url and username are not set: Nova is not told of ports");
                return Ok(None);
            };
            service.auth_url = Some(options.nova_admin_auth_url.clone());
            service.username = Some(user);
            service.password.clone_from(&options.nova_admin_password);
            service.project_id.clone_from(&options.nova_admin_tenant_id);
            service.project_name.clone_from(&options.nova_admin_tenant_name);
            service.tls.cafile.clone_from(&options.nova_ca_certificates_file);
            service.tls.insecure = options.nova_api_insecure;
            place.region_name = place.region_name.or(options.nova_region_name.clone());
            let both = options.nova_url.as_ref().zip(options.nova_admin_tenant_id.as_ref());
            endpoint = both.map(|(url, project)| format!("{}/{project}", url.trim_end_matches('/')));
        }
        let credentials = Credentials::new("nova", &service)?;
        let timeout = place.timeout.map_or(http::TIMEOUT, Duration::from_secs_f64);
        let session = Session::new(Http::new(service.tls, timeout), credentials, None);
        Ok(Some(Arc::new(Nova { options, place, session, endpoint, queue: Queue::default() })))
    }

    fn endpoint(&self, token: &Token) -> Result<String, Trouble> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(endpoint.clone());
        }
        let NovaPlace { endpoint_type, region_name, .. } = &self.place;
        let listed = session::endpoint(&token.catalog, SERVICE_TYPE, endpoint_type, region_name.as_deref());
        listed.or_else(|| self.options.nova_url.clone()).ok_or_else(|| {
            let region = region_name.as_ref().map_or_else(String::new, |r| format!(" in region {r}"));
            Trouble::Odd(format!(
                "Keystone's catalog has no {endpoint_type} endpoint of type {SERVICE_TYPE}{region}; see [nova] \
                 endpoint_type and region_name"
            ))
        })
    }

    /// Waits until nothing is on its way any more.
    pub async fn is_told(&self) {
        self.queue.empty().await;
    }

    /// Sends events to Nova.
    ///
    /// # Errors
    /// Nova, or Keystone, cannot be reached: it is worth another try.
    async fn send(&self, events: &[Event], now: i64) -> Result<(), String> {
        for batch in events.chunks(EVENTS_PER_REQUEST_MAX) {
            let body: Vec<Value> = batch.iter().map(Event::to_json).collect();
            let body = bytes::Bytes::from(json!({"events": body}).to_string());
            let url = |token: &Token| Ok(format!("{}/os-server-external-events", self.endpoint(token)?));
            match self.session.send(now, Method::POST, url, &[], Some(body)).await {
                Ok(answer) if answer.status >= 500 => {
                    return Err(format!("Nova answered {}: {}", answer.status, answer.words()));
                }
                Ok(answer) => heard(&answer, batch),
                Err(Trouble::Unreachable(why)) => return Err(why),
                Err(Trouble::Refused { url, status, words }) => {
                    return Err(format!("{url} answered {status}: {words}"));
                }
                Err(Trouble::Odd(why)) => return Err(why),
            }
        }
        Ok(())
    }
}

/// What Nova made of a batch, for the log: 404 is an answer too, for instances that are gone.
fn heard(answer: &http::Answer, batch: &[Event]) {
    match answer.status {
        200 | 207 => {
            let said = answer.json();
            for event in said["events"].as_array().into_iter().flatten() {
                if event["code"] == 200 {
                    tracing::info!(%event, "Nova was told");
                } else {
                    tracing::warn!(%event, "Nova could not use an event");
                }
            }
        }
        404 => tracing::debug!(events = batch.len(), "Nova knows none of the instances"),
        status => tracing::warn!("Nova refused {} events with {status}: {}", batch.len(), answer.words()),
    }
}

/// Queues what Nova has to hear of some changes. Never waits for Nova.
pub(super) async fn tell(app: &App, changes: &[Change]) -> Result<(), Stop> {
    let Some(nova) = &app.nova else { return Ok(()) };
    let NovaOptions {
        notify_nova_on_port_status_changes: status,
        notify_nova_on_port_data_changes: data,
        ..
    } = nova.options;
    let devices = if data { devices(app, &events::ports_to_look_up(changes)).await? } else { HashMap::new() };
    nova.queue.put(events::events(changes, &devices, status, data), (app.clock)());
    Ok(())
}

async fn devices(app: &App, ports: &[String]) -> Result<HashMap<String, Device>, Stop> {
    if ports.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!("SELECT id, device_id, device_owner FROM ports WHERE id IN ({})", marks(ports.len()));
    let params: Vec<Val> = ports.iter().map(Val::from).collect();
    let rows = app.db.read().await?.all(&sql, &params).await?;
    Ok(rows.into_iter().map(|row| (row.text(0), (row.text(1), row.text(2)))).collect())
}

/// Sends what is queued, for ever. Dropping the future stops it.
pub async fn run(app: crate::app::Shared) {
    let Some(nova) = app.nova.clone() else { return std::future::pending().await };
    let pause = Duration::from_secs(nova.options.send_events_interval);
    let mut failures: u32 = 0;
    loop {
        nova.queue.wait().await;
        let events = nova.queue.due((app.clock)());
        if events.is_empty() {
            continue;
        }
        match nova.send(&events, (app.clock)()).await {
            Ok(()) => {
                nova.queue.done(events.len());
                failures = 0;
                tokio::time::sleep(pause).await;
            }
            Err(why) => {
                failures += 1;
                let tries = nova.options.http_retries;
                if failures == tries.max(1) {
                    tracing::error!(
                        "Nova is not told of {} events: {why}; they are kept and sent again",
                        events.len()
                    );
                }
                tokio::time::sleep(queue::patience(failures)).await;
            }
        }
    }
}
