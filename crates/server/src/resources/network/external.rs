//! Whether networks lead outside, and who may use them: `externalnetworks` and the grants in `networkrbacs`.

use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::p;
use crate::request::Rq;

/// The grant that lets a project use a network as its own.
pub const SHARED: &str = "access_as_shared";
/// The grant that lets a project put router gateways on a network.
pub const EXTERNAL: &str = "access_as_external";

/// Grants something to everybody.
pub async fn grant_all(
    rq: Rq<'_>,
    tx: &mut Tx,
    network: &str,
    project: &str,
    action: &str,
) -> Result<(), Stop> {
    let sql = "INSERT INTO networkrbacs (id, object_id, project_id, target_project, action) VALUES (?, ?, ?, '*', ?)";
    match tx.exec(sql, p![rq.app.fresh_id(), network, project, action]).await {
        Ok(_) | Err(Stop::Duplicate(_)) => Ok(()),
        Err(stop) => Err(stop),
    }
}

/// Whether a network leads outside.
pub async fn is_external(tx: &mut Tx, network: &str) -> Result<bool, Stop> {
    Ok(tx.opt("SELECT 1 FROM externalnetworks WHERE network_id = ?", p![network]).await?.is_some())
}

/// Makes a network an external one. `for_all` lets every project use it.
pub async fn open(rq: Rq<'_>, tx: &mut Tx, network: &str, project: &str, for_all: bool) -> Result<(), Stop> {
    tx.queue("INSERT INTO externalnetworks (network_id, is_default) VALUES (?, 0)", p![network]).await?;
    if for_all { grant_all(rq, tx, network, project, EXTERNAL).await } else { Ok(()) }
}

/// Makes a network an inner one; refused while routers have gateways on it.
pub async fn close(tx: &mut Tx, network: &str) -> Result<(), Stop> {
    let sql = "SELECT 1 FROM ports WHERE network_id = ? AND device_owner = 'network:router_gateway' LIMIT 1";
    if tx.opt(sql, p![network]).await?.is_some() {
        return Err(Fault::ExternalNetworkInUse { net_id: network.into() }.into());
    }
    tx.exec("DELETE FROM externalnetworks WHERE network_id = ?", p![network]).await?;
    tx.exec("DELETE FROM networkrbacs WHERE object_id = ? AND action = ?", p![network, EXTERNAL]).await?;
    Ok(())
}
