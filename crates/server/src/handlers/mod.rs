//! What agents ask the server: the endpoints behind `q-plugin`, `q-reports-plugin` and `q-l3-plugin`.
//!
//! Methods, versions, arguments and answers are those of Neutron 29; names that only older agents use are served
//! too where the answer is the same. Questions about many devices, ports or routers are answered by a number of
//! statements that does not depend on how many.

pub mod args;
pub mod device;
pub mod dhcp;
mod find;
pub mod l2;
pub mod l3;
pub mod metadata;
pub mod resources;
pub(crate) mod router;
pub mod security;
pub mod security_rules;
pub mod state;
mod tunnel;

use crate::app::Shared;
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::request::Rq;
use crate::store::{self, Query};
use rpc::{Endpoint, Failure};
use serde_json::{Value, json};
use std::sync::Arc;

/// A topic with what answers on it.
pub type Served = (&'static str, Vec<Arc<dyn Endpoint>>);

/// Every topic the server listens to.
pub fn endpoints(app: &Shared) -> Vec<Served> {
    let state = || -> Arc<dyn Endpoint> { Arc::new(state::State::new(app.clone())) };
    vec![
        (
            "q-plugin",
            vec![
                Arc::new(l2::Plugin(app.clone())),
                Arc::new(security::SecurityGroups(app.clone())),
                Arc::new(dhcp::Dhcp(app.clone())),
                state(),
                Arc::new(metadata::Metadata(app.clone())),
                Arc::new(resources::Resources(app.clone())),
            ],
        ),
        ("q-reports-plugin", vec![state()]),
        (resources::SERVERS_TOPIC, vec![Arc::new(resources::Versions(app.clone()))]),
        ("q-l3-plugin", vec![Arc::new(l3::L3Plugin(app.clone()))]),
    ]
}

/// A transaction that ended, as an agent is told of it.
pub(crate) fn failure(stop: Stop) -> Failure {
    refused(&stop.into_fault())
}

/// A refusal, as an agent is told of it: Python makes its exception anew from the keyword arguments, and cannot
/// where there are none.
pub(crate) fn refused(fault: &Fault) -> Failure {
    match fault {
        Fault::Internal { detail } => {
            tracing::error!(detail, "an agent's question could not be answered");
            Failure::internal(detail.clone())
        }
        other => {
            let words = other.to_string();
            let mut kwargs: serde_json::Map<String, Value> =
                other.fields().into_iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
            kwargs.entry("msg").or_insert_with(|| json!(words));
            Failure::neutron(other.kind(), words, kwargs)
        }
    }
}

/// Resources as an admin sees them; empty when the resource is not loaded.
pub(crate) async fn bodies(
    rq: Rq<'_>,
    tx: &mut Tx,
    resource: &str,
    query: impl FnOnce(&crate::extension::Resource) -> Query,
) -> Result<Vec<Body>, Stop> {
    let Some(shape) = rq.app.catalog.shape(resource) else { return Ok(Vec::new()) };
    let page = store::list(rq, tx, shape.resource, &query(shape.resource)).await?;
    Ok((0..page.rows.len()).map(|row| page.body(row)).collect())
}
