//! What is done about agents that are gone, every half `agent_down_time`: networks and routers move to agents
//! that are there. Safe to run twice, and in several servers.

use super::{Agent, dhcp, l3};
use crate::app::{App, Shared};
use crate::db::{Stop, Tx};
use crate::notifier;
use std::time::Duration;

struct Move<'a> {
    app: &'a App,
    now: i64,
    resource: &'a str,
    from: &'a Agent,
}

async fn move_network(tx: &mut Tx, input: &Move<'_>) -> Result<Vec<Agent>, Stop> {
    dhcp::move_away(tx, input.app, input.now, input.resource, input.from).await
}

async fn move_router(tx: &mut Tx, input: &Move<'_>) -> Result<Option<Agent>, Stop> {
    l3::move_away(tx, &input.app.agents, input.now, input.resource, input.from).await
}

/// Takes networks from dead DHCP agents. The dead are not told: a message that waits would undo it when they
/// come back.
async fn networks(app: &App, now: i64) -> Result<(), Stop> {
    let options = &app.agents;
    let dead = dhcp::dead_bindings(&mut app.db.read().await?, options, now).await?;
    for (network, from) in dead {
        let input = Move { app, now, resource: &network, from: &from };
        for agent in app.write(move_network, &input).await? {
            notifier::dhcp::network_added(app, &network, &agent.host).await;
        }
    }
    Ok(())
}

/// Takes routers from dead L3 agents that others can replace.
async fn routers(app: &App, now: i64) -> Result<(), Stop> {
    let options = &app.agents;
    let dead = l3::dead_bindings(&mut app.db.read().await?, options, now).await?;
    for (router, from) in dead {
        let input = Move { app, now, resource: &router, from: &from };
        let Some(to) = app.write(move_router, &input).await? else { continue };
        notifier::l3::router_removed(app, &router, &from.host).await;
        if !notifier::l3::router_added(app, &router, &to.host).await {
            tracing::error!(
                router,
                host = to.host,
                "the L3 agent was not reached; it finds the router when it resyncs"
            );
        }
    }
    Ok(())
}

/// One round: whatever fails is tried again in the next.
pub async fn round(app: &App) {
    let now = (app.clock)();
    if app.agents.allow_automatic_dhcp_failover
        && let Err(stop) = networks(app, now).await
    {
        tracing::error!(?stop, "networks could not be moved from dead DHCP agents");
    }
    if app.agents.allow_automatic_l3agent_failover
        && let Err(stop) = routers(app, now).await
    {
        tracing::error!(?stop, "routers could not be moved from dead L3 agents");
    }
}

/// Rounds for ever. The first comes late enough for agents to report after a server's start, and so does the
/// first after a jump of the clock.
pub async fn run(app: Shared) {
    let down = u64::try_from(app.agents.agent_down_time).unwrap_or(1);
    let interval = Duration::from_secs((down / 2).max(1));
    tokio::time::sleep(interval * 2).await;
    let mut last = (app.clock)();
    loop {
        let jumped = (app.clock)() - last > app.agents.agent_down_time;
        if jumped {
            tracing::warn!("the clock jumped: agents get time to report before anything is moved");
            tokio::time::sleep(Duration::from_secs(2 * down)).await;
        }
        last = (app.clock)();
        let worker = app.clone();
        if let Err(error) = tokio::spawn(async move { round(&worker).await }).await {
            tracing::error!(%error, "a round of looking after agents broke off");
        }
        tokio::time::sleep(interval).await;
    }
}
