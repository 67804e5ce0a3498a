//! What subnet pools show beside their own row.

use crate::attr::Fill;
use crate::db::{Stop, Tx};
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::rbac;
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
        // Shared with everybody is a column too, which sorts; shared with the caller is not.
        rbac::fill_shared(rq, tx, page, "subnetpoolrbacs").await
    })
}
