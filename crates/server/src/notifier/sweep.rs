//! Tells agents of what waits in the outbox: left there by a server that died, or while the broker was away.

use super::{Round, forget};
use crate::app::Shared;
use crate::db::Stop;
use crate::outbox::{self, ROWS_PER_SWEEP_MAX};
use crate::request::Rq;
use oslo::context::Context;
use std::collections::BTreeSet;
use std::time::Duration;

/// From one sweep to the next, at least: what waits so long is taken up by whoever finds it.
const INTERVAL: Duration = Duration::from_secs(5);
/// So much longer at random, in ms, so that several servers seldom sweep at once.
const JITTER_MS: usize = 2_000;
/// How long the broker is given to take what waits for it before a sweep adds to it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// Sweeps for ever; the first sweep, at the start of the server, takes up everything.
pub async fn run(app: Shared) {
    if !app.outbox {
        return;
    }
    let mut seen = None;
    loop {
        // What this server told while the broker is away still has its rows: it is on its way.
        if !settled(&app).await {
            seen = Some(BTreeSet::new());
            continue;
        }
        let sweeper = app.clone();
        let known = seen.take();
        match tokio::spawn(async move { sweep(&sweeper, known).await }).await {
            Ok(Ok(waiting)) => seen = Some(waiting),
            Ok(Err(stop)) => tracing::warn!(?stop, "the outbox could not be swept"),
            Err(error) => tracing::error!(%error, "a sweep of the outbox broke off"),
        }
        let jitter = u64::try_from(app.dice(JITTER_MS)).unwrap_or_default();
        tokio::time::sleep(INTERVAL + Duration::from_millis(jitter)).await;
    }
}

/// Whether the broker has everything that it was given until now, before patience ends.
async fn settled(app: &Shared) -> bool {
    let given = app.rpc.given();
    let reached = async {
        while app.rpc.settled() < given {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.is_ok()
}

/// Tells of the rows that were there at the last sweep already (all, at the first) and deletes them. Returns
/// the rows that are to be told of by the next sweep if they are still there then.
pub async fn sweep(app: &Shared, seen: Option<BTreeSet<String>>) -> Result<BTreeSet<String>, Stop> {
    let mut seen = seen;
    loop {
        let waiting = outbox::waiting(&mut app.db.read().await?).await?;
        let late: Vec<String> = waiting
            .iter()
            .filter(|id| seen.as_ref().is_none_or(|seen| seen.contains(*id)))
            .cloned()
            .collect();
        if late.is_empty() || !tell(app, &late).await? {
            return Ok(waiting);
        }
        tracing::info!(transactions = late.len(), "agents were told of what waited in the outbox");
        if waiting.len() < ROWS_PER_SWEEP_MAX {
            return Ok(waiting);
        }
        // There may be more, hidden behind those that are gone now.
        seen = seen.map(|seen| &seen | &waiting);
    }
}

async fn tell(app: &Shared, rows: &[String]) -> Result<bool, Stop> {
    let ctx = Context::admin();
    let changes = {
        let mut tx = app.db.read().await?;
        outbox::restore(Rq { app, ctx: &ctx }, &mut tx, rows).await?
    };
    let mut round = Round { changes, rows: Vec::new() };
    let told = round.tell(app).await && settled(app).await;
    if told {
        app.db.write(forget, rows).await?;
    }
    Ok(told)
}
