//! Removing ports.

use super::update::addresses;
use super::{PORT, get};
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::ipam::take;
use crate::notify::{Change, Verb};
use crate::request::Rq;
use crate::resources::floatingip;
use crate::resources::router::guard;
use crate::resources::rows::text;
use crate::store;

/// Removes a port that a client names: not one that a router or a floating IP holds.
pub(super) async fn delete(rq: Rq<'_>, tx: &mut Tx, old: &Body) -> Result<(), Stop> {
    guard::refuse_direct_delete(tx, old).await?;
    remove(rq, tx, old).await
}

/// Removes a port whoever holds it, inside a transaction; floating IPs let go of it. Nothing happens where it
/// is gone already.
pub async fn delete_in(rq: Rq<'_>, tx: &mut Tx, id: &str) -> Result<(), Stop> {
    match get(rq, tx, id).await {
        Ok(old) => remove(rq, tx, &old).await,
        Err(Stop::Fault(Fault::PortNotFound { .. })) => Ok(()),
        Err(stop) => Err(stop),
    }
}

async fn remove(rq: Rq<'_>, tx: &mut Tx, old: &Body) -> Result<(), Stop> {
    let id = text(old, "id");
    floatingip::disassociate(rq, tx, id).await?;
    let own = addresses(old);
    take::give_back(rq, tx, id, &own).await?;
    store::delete(rq, tx, &PORT, id).await?;
    tx.announce(Change {
        resource: "port",
        verb: Verb::Deleted,
        id: id.to_string(),
        before: Some(old.clone()),
        after: None,
    });
    Ok(())
}
