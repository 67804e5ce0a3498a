//! Versioned objects against what Neutron's own objects write of the same rows (`tools/versioned-objects.py`).

use crate::world;
use serde_json::{Value, json};
use server::db::Val;
use server::objects::{self, Kind, Object, Which};

const GOLDEN: &str = include_str!("../golden/objects.json");

/// Sets travel as lists in no order: the script has given them one.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(ordered).collect();
            list.sort_by_key(Value::to_string);
            Value::Array(list)
        }
        Value::Object(map) => {
            let mut names: Vec<&String> = map.keys().collect();
            names.sort();
            Value::Object(names.into_iter().map(|name| (name.clone(), ordered(&map[name]))).collect())
        }
        other => other.clone(),
    }
}

#[tokio::test]
async fn objects_are_written_as_neutron_writes_them() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let (db, _dir) = world::db().await;
    let mut tx = db.begin().await.unwrap();
    for table in golden["rows"].as_array().unwrap() {
        for row in table[1].as_array().unwrap() {
            let row = row.as_object().unwrap();
            let columns: Vec<String> = row.keys().map(|name| format!("`{name}`")).collect();
            let values: Vec<Val> = row.values().map(server::store::to_val).collect();
            let sql = format!(
                "INSERT INTO {} ({}) VALUES ({})",
                table[0].as_str().unwrap(),
                columns.join(", "),
                server::db::marks(values.len())
            );
            tx.exec(&sql, &values).await.unwrap_or_else(|stop| panic!("{sql}: {stop:?}"));
        }
    }
    let mut compared = 0;
    for case in golden["objects"].as_array().unwrap() {
        let kind = Kind::named(case["kind"].as_str().unwrap()).unwrap();
        let id = case["id"].as_str().unwrap();
        if let Some(gone) = case.get("deleted") {
            assert_eq!(ordered(&Object::gone(kind, id).primitive(kind.newest())), ordered(gone), "{kind:?}");
            continue;
        }
        let found = objects::read(&mut tx, kind, &Which::ids(&[id])).await.unwrap();
        for (version, expected) in case["versions"].as_object().unwrap() {
            let written = found[0].primitive(objects::version(version).unwrap());
            assert_eq!(ordered(&written), ordered(expected), "{kind:?} {id} {version}");
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");

    let port = json!({"security_group_ids": ["00000006-1111-4222-8333-444444444444"]});
    let other = json!({"security_group_ids": ["00000009-1111-4222-8333-444444444444"]});
    for (kind, filters, found) in [
        (Kind::Port, port, 1),
        (Kind::Port, other, 0),
        (Kind::Port, json!({"id": []}), 0),
        (Kind::Port, json!({"network_id": "00000001-1111-4222-8333-444444444444", "status": ["DOWN"]}), 1),
        (Kind::SecurityGroupRule, json!({"remote_group_id": null}), 2),
        (Kind::Network, json!({}), 1),
    ] {
        let which = Which::filtered(kind, filters.as_object().unwrap()).unwrap();
        assert_eq!(objects::read(&mut tx, kind, &which).await.unwrap().len(), found, "{kind:?} {filters}");
    }
    let unknown = json!({"colour": "red"});
    assert!(Which::filtered(Kind::Subnet, unknown.as_object().unwrap()).is_err());
}
