//! The facade against a real SQLite file.

use super::*;
use crate::p;
use std::sync::atomic::{AtomicU32, Ordering};

async fn empty() -> (Db, tempdir::Dir) {
    let dir = tempdir::Dir::new();
    (Db::open_sqlite(&dir.0.join("neutron.sqlite")).await.unwrap(), dir)
}

mod tempdir {
    pub(super) struct Dir(pub std::path::PathBuf);
    impl Dir {
        pub(super) fn new() -> Dir {
            let path = std::env::temp_dir().join(format!("neutron-db-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir_all(&path).unwrap();
            Dir(path)
        }
    }
    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// Every column of the source is a column of the store, in the same order.
#[tokio::test]
async fn the_embedded_store_has_upstreams_columns() {
    let (db, _dir) = empty().await;
    let mut tx = db.read().await.unwrap();
    let ddl = schema::NEUTRON_29;
    let mut seen = 0;
    for table in ddl.split("CREATE TABLE `").skip(1) {
        let (name, body) = table.split_once("` (\n").unwrap();
        let source: Vec<&str> = body
            .lines()
            .take_while(|l| *l != ");")
            .filter_map(|l| l.trim().strip_prefix('`').and_then(|l| l.split_once('`')).map(|(n, _)| n))
            .collect();
        let rows = tx.all(&format!("SELECT name FROM pragma_table_info('{name}')"), p![]).await.unwrap();
        let stored: Vec<String> = rows.iter().map(|r| r.text(0)).collect();
        assert_eq!(stored, source, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 123);
}

#[tokio::test]
async fn a_second_start_finds_its_tables() {
    let (db, dir) = empty().await;
    drop(db);
    let db = Db::open_sqlite(&dir.0.join("neutron.sqlite")).await.unwrap();
    let mut tx = db.read().await.unwrap();
    assert_eq!(tx.all("SELECT version_num FROM alembic_version", p![]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn refusals_have_names() {
    let (db, _dir) = empty().await;
    let mut tx = db.begin().await.unwrap();
    tx.exec(
        "INSERT INTO quotas (id, project_id, resource, `limit`) VALUES (?,?,?,?)",
        p!["a", "p", "port", 1i64],
    )
    .await
    .unwrap();
    let again = tx
        .exec(
            "INSERT INTO quotas (id, project_id, resource, `limit`) VALUES (?,?,?,?)",
            p!["A", "p", "network", 1i64],
        )
        .await;
    assert_eq!(again, Err(Stop::Duplicate("PRIMARY".into())), "text compares without case");
    let orphan = tx.exec("INSERT INTO networks (id, standard_attr_id) VALUES (?,?)", p!["n", 77i64]).await;
    let refused = match orphan {
        Err(stop) => Err(stop),
        Ok(_) => tx.commit().await.map(|_| ()),
    };
    assert_eq!(refused, Err(Stop::ForeignKey));
}

struct Deadlocks(AtomicU32);

async fn busy(tx: &mut Tx, left: &Deadlocks) -> Result<i64, Stop> {
    tx.exec("INSERT INTO standardattributes (resource_type) VALUES (?)", p!["ports"]).await?;
    match left.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) {
        Ok(_) => Err(Stop::Retry("deadlock".into())),
        Err(_) => Ok(tx
            .opt("SELECT count(*) FROM standardattributes WHERE resource_type = 'ports'", p![])
            .await?
            .unwrap()
            .int(0)),
    }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn a_transaction_runs_again_from_the_start() {
    let (db, _dir) = empty().await;
    let (rows, _) = assert_send(db.write(busy, &Deadlocks(AtomicU32::new(3)))).await.unwrap();
    assert_eq!(rows, 1, "what the failed attempts wrote is gone");
    let gave_up = db.write(busy, &Deadlocks(AtomicU32::new(99))).await;
    assert_eq!(gave_up.unwrap_err().into_fault().status(), 503);
}

#[tokio::test]
async fn a_newer_database_is_refused_with_what_to_do() {
    let (db, dir) = empty().await;
    let mut tx = db.begin().await.unwrap();
    tx.exec("UPDATE neutronrs_schema SET version = 99", p![]).await.unwrap();
    tx.commit().await.unwrap();
    drop(db);
    let refused = Db::open_sqlite(&dir.0.join("neutron.sqlite")).await.err();
    assert!(matches!(refused, Some(Stop::Database(why)) if why.contains("newer neutron-rs")));
}
