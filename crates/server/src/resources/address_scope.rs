//! Address scopes: subnet pools whose addresses never overlap, so that traffic between them needs no NAT.

use crate::attr::{self, Attr, Body, Check, Condition, Default, Filter, Home, Literal};
use crate::convert;
use crate::db::{Stop, Tx};
use crate::extension::{Resource, Rules, Verbs};
use crate::fault::Fault;
use crate::p;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::rbac::kind::Kind;
use crate::resources::rbac::{self, policy};
use crate::resources::rows::{by_first, fill, of_page};
use crate::store;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

/// `address_scopes`
pub static ADDRESS_SCOPE: Resource = Resource {
    name: "address_scope",
    collection: "address_scopes",
    table: "address_scopes",
    standard: false,
    attributes: &[
        attr::ID,
        attr::NAME,
        attr::PROJECT_ID,
        Attr::new("shared")
            .default(Default::Bool(false))
            .convert(convert::to_boolean)
            .guarded()
            .filter(Filter::Custom(filter_shared))
            .home(Home::Filled(fill_shared)),
        Attr::new("ip_version")
            .post_only()
            .default(Default::Required)
            .convert(convert::to_int)
            .check(Check::Values(&[Literal::Int(4), Literal::Int(6)]))
            .listed(),
    ],
    quota: None,
    not_found: |id| Fault::AddressScopeNotFound { address_scope_id: id.into() },
    rules: &Scopes,
    actions: &[],
    visible: Some(visible),
    verbs: Verbs::ALL,
};

fn visible(rq: Rq<'_>) -> Condition {
    rbac::shared_with("address_scopes", "addressscoperbacs", rq.ctx.project_id.as_deref())
}

fn filter_shared(rq: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    rbac::filter_shared(visible(rq), values)
}

fn fill_shared<'a>(rq: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(rbac::fill_shared(rq, tx, page, "addressscoperbacs"))
}

struct Scopes;

impl Rules for Scopes {
    fn create<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        mut body: Body,
    ) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(async move {
            let id = rq.app.fresh_id();
            body.insert("id".into(), json!(id));
            store::insert(rq, tx, &ADDRESS_SCOPE, &body).await?;
            if body.get("shared") == Some(&Value::Bool(true)) {
                let project = body.get("project_id").and_then(Value::as_str);
                policy::share(rq, tx, Kind::AddressScope, &id, project).await?;
            }
            Ok(id)
        })
    }

    fn update<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        old: &'a Body,
        changes: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let id = old.get("id").and_then(Value::as_str).unwrap_or_default();
            let shared = changes.get("shared").and_then(Value::as_bool);
            if old.get("shared") == Some(&Value::Bool(true)) && shared == Some(false) {
                let reason = "Shared address scope can't be unshared".to_string();
                return Err(Fault::AddressScopeUpdateError { address_scope_id: id.into(), reason }.into());
            }
            if let Some(shared) = shared {
                policy::set_shared(rq, tx, Kind::AddressScope, id, shared).await?;
            }
            store::update(rq, tx, &ADDRESS_SCOPE, id, &changes).await
        })
    }

    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let id = old.get("id").and_then(Value::as_str).unwrap_or_default();
            let sql = "SELECT 1 FROM subnetpools WHERE address_scope_id = ? LIMIT 1";
            if tx.opt(sql, p![id]).await?.is_some() {
                return Err(Fault::AddressScopeInUse { address_scope_id: id.into() }.into());
            }
            store::delete(rq, tx, &ADDRESS_SCOPE, id).await
        })
    }
}

/// `address_scope_id` of subnet pools.
pub const OF_SUBNETPOOL: Attr = Attr::new("address_scope_id").check(Check::UuidOrNone).listed();

/// `ipv4_address_scope` and `ipv6_address_scope` of networks: those of the pools of their subnets.
pub const OF_NETWORK: &[Attr] = &[
    Attr::new("ipv4_address_scope").read_only().home(Home::Filled(fill_network)),
    Attr::new("ipv6_address_scope").read_only().home(Home::Filled(fill_network)),
];

fn fill_network<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let sql = "SELECT DISTINCT subnets.network_id, subnetpools.ip_version, subnetpools.address_scope_id FROM subnets JOIN subnetpools ON subnetpools.id = subnets.subnetpool_id WHERE subnetpools.address_scope_id IS NOT NULL AND subnets.network_id";
        let scopes = by_first(of_page(tx, sql, page, "").await?);
        for (version, name) in [(4, "ipv4_address_scope"), (6, "ipv6_address_scope")] {
            fill(page, name, &scopes, |_, own| {
                Cell::from(own.iter().rfind(|row| row.int(1) == version).map(|row| row.text(2)))
            });
        }
        Ok(())
    })
}
