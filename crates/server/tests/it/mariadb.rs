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
        // A cluster is MariaDB already.
        .args(["--skip", "every_test_holds_on_mariadb", "--skip", "galera::"])
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
    for table in tables.iter().map(|row| row.text(0)) {
        // Copies that a test of policy made.
        let undo = if table.starts_with("kept_") { "DROP TABLE" } else { "DELETE FROM" };
        tx.queue(&format!("{undo} `{table}`"), p![]).await?;
    }
    tx.queue("ALTER TABLE standardattributes AUTO_INCREMENT = 1", p![]).await?;
    tx.queue("SET FOREIGN_KEY_CHECKS = 1", p![]).await?;
    tx.commit().await.map(drop)
}

async fn add(tx: &mut Tx, id: &str) -> Result<(), Stop> {
    let sql = "INSERT INTO quotas (id, project_id, resource, `limit`) VALUES (?, ?, 'port', 3)";
    tx.queue(sql, p![id, id]).await
}

#[tokio::test]
async fn queued_statements_travel_with_the_next_and_with_the_commit() {
    let (db, _database) = fresh().await;
    let mut tx = db.begin().await.unwrap();
    add(&mut tx, "a'\\").await.unwrap();
    add(&mut tx, "b").await.unwrap();
    let sql = "SELECT id, `limit`, (SELECT SUM(`limit`) FROM quotas), NULL FROM quotas WHERE id = ?";
    let row = tx.opt(sql, p!["a'\\"]).await.unwrap().unwrap();
    assert_eq!((row.text(0), row.int(1), row.int(2)), ("a'\\".into(), 3, 6), "the read sees what was queued");
    let alone = tx.opt(sql, p!["a'\\"]).await.unwrap().unwrap();
    let all = |row: &server::db::Row| (0..4).map(|i| row.value(i)).collect::<Vec<_>>();
    assert_eq!(all(&alone), all(&row), "prepared or as text, values are the same");
    add(&mut tx, "c").await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    add(&mut tx, "d").await.unwrap();
    add(&mut tx, "B").await.unwrap();
    assert_eq!(tx.flush().await, Err(Stop::Duplicate("PRIMARY".into())), "text compares without case");
    drop(tx);
    let mut tx = db.begin().await.unwrap();
    add(&mut tx, "b").await.unwrap();
    assert_eq!(tx.commit().await.err(), Some(Stop::Duplicate("PRIMARY".into())));
    let mut tx = db.read().await.unwrap();
    let ids = tx.all("SELECT id FROM quotas ORDER BY id", p![]).await.unwrap();
    assert_eq!(ids.iter().map(|row| row.text(0)).collect::<Vec<_>>(), ["a'\\", "b", "c"]);
}

/// Ends every connection to the database, as a restart of the server would.
async fn cut(db: &Db) {
    let name = db.read().await.unwrap().opt("SELECT DATABASE()", p![]).await.unwrap().unwrap().text(0);
    lock_out(&name).await.unwrap();
}

async fn add_one(tx: &mut Tx, id: &str) -> Result<i64, Stop> {
    let before = tx.opt("SELECT COUNT(*) FROM quotas", p![]).await?.map_or(0, |row| row.int(0));
    add(tx, id).await?;
    Ok(before)
}

#[tokio::test]
async fn lost_connections_are_replaced() {
    let (db, _database) = fresh().await;
    db.write(add_one, "a").await.unwrap();
    cut(&db).await;
    let rows = db.read().await.unwrap().all("SELECT id FROM quotas", p![]).await.unwrap();
    assert_eq!(rows.len(), 1, "who only reads does not notice");
    cut(&db).await;
    assert_eq!(db.write(add_one, "b").await.unwrap().0, 1, "nor who begins to write");
    let mut tx = db.begin().await.unwrap();
    add_one(&mut tx, "c").await.unwrap();
    cut(&db).await;
    let lost = tx.commit().await;
    assert!(matches!(lost, Err(Stop::Busy(_))), "whether it was committed cannot be known: {:?}", lost.err());
    assert_eq!(db.write(add_one, "d").await.unwrap().0, 2, "it was not");
}

/// Two rows, taken in one order or the other.
struct Crossing {
    order: [&'static str; 2],
    meet: tokio::sync::Barrier,
}

async fn cross(
    tx: &mut Tx,
    input: &(std::sync::Arc<Crossing>, bool, std::sync::atomic::AtomicU32),
) -> Result<(), Stop> {
    let (crossing, turned, tries) = input;
    let [first, second] = crossing.order;
    let (first, second) = if *turned { (second, first) } else { (first, second) };
    tx.exec("UPDATE quotas SET `limit` = `limit` + 1 WHERE id = ?", p![first]).await?;
    if tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
        crossing.meet.wait().await;
    }
    tx.exec("UPDATE quotas SET `limit` = `limit` + 1 WHERE id = ?", p![second]).await?;
    Ok(())
}

#[tokio::test]
async fn a_deadlock_is_run_again() {
    let (db, _database) = fresh().await;
    for id in ["a", "b"] {
        db.write(add_one, id).await.unwrap();
    }
    let crossing = std::sync::Arc::new(Crossing { order: ["a", "b"], meet: tokio::sync::Barrier::new(2) });
    let (one, other) = ((crossing.clone(), false, 0.into()), (crossing, true, 0.into()));
    let (one, other) = tokio::join!(db.write(cross, &one), db.write(cross, &other));
    one.unwrap();
    other.unwrap();
    let rows = db.read().await.unwrap().all("SELECT `limit` FROM quotas", p![]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.int(0)).collect::<Vec<_>>(), [5, 5]);
}

#[tokio::test]
async fn tables_of_another_release_are_refused_with_what_helps() {
    let (db, _database) = fresh().await;
    let mut tx = db.begin().await.unwrap();
    tx.exec("UPDATE alembic_version SET version_num = 'kilo' WHERE version_num = '5c85685d616d'", p![])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let refused = db.prepare(Make::WhenEmpty).await.unwrap_err().words();
    assert!(
        refused.contains("c7f8d9e0f1a2 and kilo") && refused.contains("neutron-db-manage upgrade heads"),
        "{refused}"
    );
    empty(&db).await.unwrap();
    let refused = db.prepare(Make::Never).await.unwrap_err().words();
    assert!(refused.contains("upgrade head"), "{refused}");
}

/// A connection over TLS with these parameters, and the cipher it uses.
async fn cipher(parameters: &str) -> Result<String, String> {
    let base = std::env::var("LAB_MARIADB_URL").expect("LAB_MARIADB_URL is not set: run `make test`");
    let place =
        url::parse(&format!("{}/information_schema?{parameters}", base.trim_end_matches('/'))).unwrap();
    let mut limits = Limits::from(&DatabaseOptions::default());
    limits.tries_max = Some(0);
    let db = Db::connect(&Found { place, limits, said: "LAB_MARIADB_URL".into() })
        .await
        .map_err(|e| e.to_string())?;
    let row = db.read().await.unwrap().opt("SHOW STATUS LIKE 'Ssl_cipher'", p![]).await.unwrap();
    Ok(row.map(|row| row.text(1)).unwrap_or_default())
}

#[tokio::test]
async fn statements_travel_over_tls() {
    let authority = std::env::var("LAB_TLS_CA").expect("LAB_TLS_CA is not set: run `make test`");
    assert_eq!(cipher("charset=utf8").await.unwrap(), "", "nobody asked for it");
    for parameters in [format!("ssl_ca={authority}&ssl_verify_identity=true"), "ssl_verify_cert=false".into()]
    {
        assert_ne!(cipher(&parameters).await.unwrap(), "", "{parameters}");
    }
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/../rpc/tests/it/other_authority.pem");
    let refused = cipher(&format!("ssl_ca={other}")).await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
}
