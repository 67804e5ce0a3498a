//! Rows derived from declarations, on two small resources: one with `standardattributes` and a side table.

use crate::world;
use expect_test::expect;
use futures_util::future::BoxFuture;
use oslo::context::Context;
use serde_json::{Value, json};
use server::attr::{self, Attr, Body, Default, Home};
use server::db::{Stop, Tx};
use server::extension::{Extension, NOTHING, On, Resource, Rules, STANDARD, Verbs};
use server::fault::Fault;
use server::p;
use server::record::{Cell, Page};
use server::request::Rq;
use server::store::{self, Query};

struct None_;

impl Rules for None_ {
    fn create<'a>(&'a self, _: Rq<'a>, _: &'a mut Tx, _: Body) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(async { Ok(String::new()) })
    }
    fn update<'a>(
        &'a self,
        _: Rq<'a>,
        _: &'a mut Tx,
        _: &'a Body,
        _: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async { Ok(()) })
    }
    fn delete<'a>(&'a self, _: Rq<'a>, _: &'a mut Tx, _: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async { Ok(()) })
    }
}

static NETWORK: Resource = Resource {
    name: "network",
    collection: "networks",
    table: "networks",
    standard: true,
    attributes: &[
        attr::ID,
        attr::PROJECT_ID,
        attr::NAME,
        Attr::new("admin_state_up"),
        Attr::new("mtu"),
        Attr::new("port_security_enabled").missing(Default::Bool(true)).home(Home::Side {
            table: "networksecuritybindings",
            key: "network_id",
            column: "port_security_enabled",
        }),
        Attr::new("shouted").read_only().home(Home::Filled(shout)),
    ],
    quota: None,
    not_found: |id| Fault::NetworkNotFound { net_id: id.into() },
    rules: &None_,
    actions: &[],
    visible: None,
    verbs: Verbs::ALL,
};

fn shout<'a>(_: Rq<'a>, _: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        for row in 0..page.rows.len() {
            let name = page.text(row, "name").to_uppercase();
            page.set(row, "shouted", Cell::Text(name));
        }
        Ok(())
    })
}

static EXTENSION: Extension = Extension {
    alias: "test",
    resources: &[&NETWORK],
    attributes: &[On {
        resource: STANDARD,
        attributes: &[
            Attr::new("description").home(Home::Standard("description")),
            Attr::new("revision_number").read_only().home(Home::Standard("revision_number")),
        ],
    }],
    ..NOTHING
};

fn body(value: Value) -> Body {
    value.as_object().unwrap().clone()
}

#[tokio::test]
async fn a_row_is_made_changed_listed_and_removed() {
    let (app, _dir) = world::app(&[&EXTENSION]).await;
    let ctx = Context::admin();
    let rq = Rq { app: &app, ctx: &ctx };
    let mut tx = app.db.begin().await.unwrap();
    let one = json!({"id": "n1", "project_id": "p", "name": "one", "admin_state_up": true, "mtu": 1450,
        "port_security_enabled": false, "description": "first"});
    store::insert(rq, &mut tx, &NETWORK, &body(one)).await.unwrap();
    store::insert(rq, &mut tx, &NETWORK, &body(json!({"id": "n2", "name": null}))).await.unwrap();
    // The number goes on where a database was used before.
    let show = |found: Option<Body>| {
        let mut found = found.unwrap();
        assert!(found.remove("standard_attr_id").unwrap().as_i64() > Some(0));
        serde_json::to_string(&found).unwrap()
    };
    expect![[r#"{"id":"n1","tenant_id":"p","project_id":"p","name":"one","admin_state_up":true,"mtu":1450,"port_security_enabled":false,"shouted":"ONE","description":"first","revision_number":0}"#]]
        .assert_eq(&show(store::get(rq, &mut tx, &NETWORK, "n1").await.unwrap()));
    expect![[r#"{"id":"n2","tenant_id":null,"project_id":null,"name":null,"admin_state_up":null,"mtu":1500,"port_security_enabled":true,"shouted":"","description":"","revision_number":0}"#]]
        .assert_eq(&show(store::get(rq, &mut tx, &NETWORK, "n2").await.unwrap()));

    let same = body(json!({"name": "one", "description": "first", "port_security_enabled": false}));
    store::update(rq, &mut tx, &NETWORK, "n1", &same).await.unwrap();
    let unchanged = store::get(rq, &mut tx, &NETWORK, "n1").await.unwrap().unwrap();
    assert_eq!(unchanged["revision_number"], 0, "writing what is there changes nothing");
    store::update(rq, &mut tx, &NETWORK, "n1", &body(json!({"name": "ONE"}))).await.unwrap();
    store::update(rq, &mut tx, &NETWORK, "n2", &body(json!({"port_security_enabled": false}))).await.unwrap();
    store::touch(rq, &mut tx, &NETWORK, "n1").await.unwrap();
    let query = Query { sort: vec![("mtu".into(), false)], limit: Some(5), ..Query::default() };
    let page = store::list(rq, &mut tx, &NETWORK, &query).await.unwrap();
    assert_eq!(page.column("name"), ["", "ONE"]);
    assert_eq!(page.body(1)["revision_number"], 1, "one transaction raises a revision once");
    assert_eq!(page.body(0)["port_security_enabled"], false);

    store::delete(rq, &mut tx, &NETWORK, "n1").await.unwrap();
    assert_eq!(store::get(rq, &mut tx, &NETWORK, "n1").await.unwrap(), None);
    let left =
        tx.all("SELECT id FROM standardattributes WHERE resource_type = 'networks'", p![]).await.unwrap();
    assert_eq!(left.len(), 1, "its standard attributes went with it");
}

#[tokio::test]
async fn fills_run_only_where_they_are_asked_for() {
    let (app, _dir) = world::app(&[&EXTENSION]).await;
    let ctx = Context::admin();
    let rq = Rq { app: &app, ctx: &ctx };
    let mut tx = app.db.begin().await.unwrap();
    store::insert(rq, &mut tx, &NETWORK, &body(json!({"id": "n1", "name": "one"}))).await.unwrap();
    let query = Query { fields: Some(vec!["name".into()]), ..Query::among(&NETWORK, "id", &["n1", "n2"]) };
    let page = store::list(rq, &mut tx, &NETWORK, &query).await.unwrap();
    assert_eq!(page.body(0).get("shouted"), None);
    assert_eq!(page.text(0, "name"), "one");
}
