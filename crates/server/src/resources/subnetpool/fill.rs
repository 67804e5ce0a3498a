//! What subnet pools show beside their own row.

use crate::attr::Fill;
use crate::db::{Row, Stop, Tx};
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::rows::{by_first, fill, of_page, texts};
use futures_util::future::BoxFuture;

type Filled<'a> = BoxFuture<'a, Result<(), Stop>>;

// Every function here is a `Fill`; the compiler checks it once.
const _: [Fill; 1] = [prefixes];

pub(super) fn prefixes<'a>(rq: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT subnetpool_id, cidr FROM subnetpoolprefixes WHERE subnetpool_id";
        let rows = by_first(of_page(tx, sql, page, "ORDER BY subnetpool_id, cidr").await?);
        fill(page, "prefixes", &rows, |_, own| texts(own, 1));
        // Upstream answers with texts where it takes numbers.
        for name in ["default_prefixlen", "min_prefixlen", "max_prefixlen"] {
            let Some(place) = page.place(name) else { continue };
            for row in &mut page.rows {
                if let Some(cell) = row.get_mut(place)
                    && let Cell::Int(number) = cell
                {
                    *cell = Cell::Text(number.to_string());
                }
            }
        }
        shared(rq, tx, page).await
    })
}

/// Shared with everybody is a column too, which sorts; shared with the caller is not.
async fn shared(rq: Rq<'_>, tx: &mut Tx, page: &mut Page) -> Result<(), Stop> {
    let sql = "SELECT object_id, target_project FROM subnetpoolrbacs WHERE action = 'access_as_shared' AND object_id";
    let rows = by_first(of_page(tx, sql, page, "").await?);
    let me = rq.ctx.project_id.as_deref();
    let mine = |row: &Row| row.text(1) == "*" || Some(row.text(1).as_str()) == me;
    fill(page, "shared", &rows, |_, own| Cell::Bool(own.iter().any(mine)));
    Ok(())
}
