//! All tests once more on MariaDB, each with a database of its own on the server that `LAB_MARIADB_URL` names.

use server::db::options::{DatabaseOptions, Found, Limits};
use server::db::{Db, Make, Stop, Tx, url};
use server::p;
use std::process::Command;

/// What tells the tests of this program to use MariaDB.
const STORE: &str = "NEUTRON_TEST_STORE";

/// Whether this run of the tests is the one on MariaDB.
pub fn wanted() -> bool {
    std::env::var(STORE).is_ok_and(|store| store == "mariadb")
}

/// The program runs itself: what holds on SQLite holds on MariaDB.
#[test]
fn every_test_holds_on_mariadb() {
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--skip", "every_test_holds_on_mariadb"])
        .env(STORE, "mariadb")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "on MariaDB:\n{}\n{}", text(&done.stdout), text(&done.stderr));
}

/// Databases of this server are kept and emptied, for making 125 tables takes seconds. More are never needed at
/// the same time.
const DATABASES_MAX: u32 = 200;

/// A database that is one test's until the connection that holds its lock ends.
pub struct Database {
    // A transaction is for one task at a time; here it is for none.
    _lock: std::sync::Mutex<Tx>,
}

/// A database as `upgrade head` leaves it.
pub async fn fresh() -> (Db, Database) {
    let (name, lock) = free().await;
    lock_out(&name).await.unwrap();
    let db = connect(&name).await;
    empty(&db).await.unwrap();
    db.prepare(Make::WhenEmpty).await.unwrap();
    (db, Database { _lock: lock.into() })
}

async fn connect(database: &str) -> Db {
    let base = std::env::var("LAB_MARIADB_URL");
    let base = base.expect("LAB_MARIADB_URL is not set: `make test` starts the servers that tests need");
    let place = url::parse(&format!("{}/{database}", base.trim_end_matches('/'))).unwrap();
    let mut limits = Limits::from(&DatabaseOptions::default());
    limits.tries_max = Some(0);
    Db::connect(&Found { place, limits, said: "LAB_MARIADB_URL".into() }).await.unwrap()
}

/// A database that no other test has.
async fn free() -> (String, Tx) {
    let mut tx = connect("information_schema").await.begin().await.unwrap();
    for number in 1..DATABASES_MAX {
        let name = format!("it_server_{number}");
        let row = tx.opt("SELECT GET_LOCK(?, 0)", p![&name]).await.unwrap().unwrap();
        if row.int(0) == 1 {
            tx.exec(&format!("CREATE DATABASE IF NOT EXISTS {name}"), p![]).await.unwrap();
            return (name, tx);
        }
    }
    panic!("{DATABASES_MAX} databases are in use");
}

/// Ends the connections that an earlier test left: what they have begun would be waited for.
async fn lock_out(database: &str) -> Result<(), Stop> {
    let mut tx = connect("information_schema").await.begin().await?;
    for row in tx.all("SELECT id FROM processlist WHERE db = ?", p![database]).await? {
        // It may have ended meanwhile.
        let _ = tx.exec(&format!("KILL {}", row.int(0)), p![]).await;
    }
    Ok(())
}

/// Removes all rows but the version of our own tables, so that the rest is made as on an empty database.
async fn empty(db: &Db) -> Result<(), Stop> {
    let mut tx = db.begin().await?;
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
               AND table_type = 'BASE TABLE' AND table_name <> 'neutronrs_schema'";
    let tables = tx.all(sql, p![]).await?;
    if tables.is_empty() {
        return Ok(());
    }
    tx.queue("SET FOREIGN_KEY_CHECKS = 0", p![]).await?;
    for table in tables {
        tx.queue(&format!("DELETE FROM `{}`", table.text(0)), p![]).await?;
    }
    tx.queue("ALTER TABLE standardattributes AUTO_INCREMENT = 1", p![]).await?;
    tx.queue("SET FOREIGN_KEY_CHECKS = 1", p![]).await?;
    tx.commit().await.map(drop)
}
