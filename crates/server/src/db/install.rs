//! Which tables a database has, and making those that it lacks.

use super::schema::{self, ALEMBIC_HEADS, NEUTRON_29, OWN};
use super::{Arm, Db, Place, Stop, Store, Tx, lite, maria, options};
use crate::p;
use std::time::Duration;

/// Whether an empty database gets its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// Yes: `neutron-db-manage upgrade`, and the embedded store at each start.
    WhenEmpty,
    /// No: a server on MariaDB, where an empty database is probably the wrong one.
    Never,
}

/// What a database has of upstream's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// Nothing, or what an interrupted `upgrade` left.
    Empty,
    /// Those of Neutron 29.0.0.
    Heads,
    /// Others: what `alembic_version` holds, in order.
    Other(Vec<String>),
}

/// How long a start waits for another server that is making tables.
const LOCK_WITHIN: Duration = Duration::from_secs(120);

impl Db {
    /// Connects to the database that `found` names: waits for a server that is down, and says so. Looks at no
    /// tables.
    ///
    /// # Errors
    /// What is wrong, where, and what to do.
    pub async fn connect(found: &options::Found) -> Result<Db, String> {
        let said = &found.said;
        match &found.place {
            Place::Lite(path) => {
                if let Some(dir) = path.parent() {
                    std::fs::create_dir_all(dir)
                        .map_err(|e| format!("{said}: {} cannot be made: {e}", dir.display()))?;
                }
                lite::Lite::open(path)
                    .map(|lite| Db::new(Store::Lite(lite)))
                    .map_err(|stop| format!("{said}: {}", stop.words()))
            }
            Place::Maria(server) => {
                let maria = maria::Maria::new((**server).clone(), found.limits.clone());
                let db = Db::new(Store::Maria(maria));
                db.wait(found).await.map_err(|why| format!("{said}: {why}"))?;
                Ok(db)
            }
        }
    }

    /// Waits until the server answers, as often as `[database] max_retries` says.
    async fn wait(&self, found: &options::Found) -> Result<(), String> {
        let Place::Maria(server) = &found.place else { return Ok(()) };
        let mut tries = 0;
        loop {
            let stop = match self.answers().await {
                Ok(()) => return Ok(()),
                Err(stop) => stop,
            };
            tries += 1;
            let more = found.limits.tries_max.is_none_or(|max| tries <= max);
            match stop {
                Stop::Lost(why) | Stop::Retry(why) | Stop::Busy(why) if more => {
                    let seconds = found.limits.try_every.as_secs();
                    let left =
                        found.limits.tries_max.map_or("no end".into(), |max| (max - tries).to_string());
                    tracing::warn!(
                        "cannot reach {server}: {why}; next try in {seconds} s, then {left} left ([database] max_retries)"
                    );
                    tokio::time::sleep(found.limits.try_every).await;
                }
                Stop::Database(why) => return Err(format!("{server} refuses: {why}")),
                other => {
                    return Err(format!(
                        "cannot reach {server}: {}; is MariaDB running there, and reachable from here?",
                        other.words()
                    ));
                }
            }
        }
    }

    async fn answers(&self) -> Result<(), Stop> {
        self.read().await?.all("SELECT 1", p![]).await.map(drop)
    }

    /// Makes the tables that are missing, as far as `make` allows, and refuses those of another Neutron.
    ///
    /// # Errors
    /// [`Stop::Database`] with words that say what to do.
    pub async fn prepare(&self, make: Make) -> Result<(), Stop> {
        match &self.store {
            Store::Lite(_) => {
                let mut tx = self.begin().await?;
                if may_install(&revision(&mut tx).await?, make)? {
                    tx.script(&tables(schema::Dialect::Lite)).await?;
                    seed(&mut tx).await?;
                }
                own(&mut tx).await?;
                tx.commit().await.map(drop)
            }
            Store::Maria(maria) => {
                let _lock = maria.lock("neutronrs_schema", LOCK_WITHIN).await?;
                let mut tx = self.begin().await?;
                if may_install(&revision(&mut tx).await?, make)? {
                    maria.script(&tables(schema::Dialect::Maria)).await?;
                    seed(&mut tx).await?;
                }
                own(&mut tx).await?;
                tx.commit().await.map(drop)
            }
        }
    }

    /// What the database has of upstream's tables.
    pub async fn revision(&self) -> Result<Revision, Stop> {
        revision(&mut self.read().await?).await
    }
}

/// Whether the tables are to be made; the refusal where there are others, or none and none are to be made.
fn may_install(revision: &Revision, make: Make) -> Result<bool, Stop> {
    let heads = ALEMBIC_HEADS.join(" and ");
    match (revision, make) {
        (Revision::Heads, _) => Ok(false),
        (Revision::Empty, Make::WhenEmpty) => Ok(true),
        (Revision::Empty, Make::Never) => Err(Stop::Database(
            "the database has no tables of Neutron; `neutron-db-manage --config-file FILE upgrade head` makes them"
                .into(),
        )),
        (Revision::Other(none), _) if none.is_empty() => Err(Stop::Database(
            "the database has tables, but not Neutron's (alembic_version is missing or empty); \
             name a database of its own, or an empty one, in [database] connection"
                .into(),
        )),
        (Revision::Other(others), _) => Err(Stop::Database(format!(
            "the database has revision {} and this program serves that of Neutron 29.0.0 ({heads}) only; \
             bring an older one there with `neutron-db-manage upgrade heads` of Python Neutron 29.0.0, release by \
             release as its notes say; a newer one cannot be brought back",
            others.join(" and ")
        ))),
    }
}

/// Everything that an empty database needs, in one text. The own version table stands first: an installation that was
/// interrupted is recognised by it and completed by the next.
fn tables(dialect: schema::Dialect) -> String {
    let all = [OWN[0], NEUTRON_29].map(|ddl| schema::script(ddl, dialect));
    match dialect {
        schema::Dialect::Lite => all.concat(),
        schema::Dialect::Maria => format!("SET FOREIGN_KEY_CHECKS = 0;\n{}", all.concat()),
    }
}

/// The rows that a new database has.
async fn seed(tx: &mut Tx) -> Result<(), Stop> {
    crate::resources::security_group::template::seed(tx).await?;
    for head in ALEMBIC_HEADS {
        tx.queue("INSERT INTO alembic_version (version_num) VALUES (?)", p![head]).await?;
    }
    tx.flush().await
}

/// Brings our own tables up to date, on a database of Python's too.
async fn own(tx: &mut Tx) -> Result<(), Stop> {
    let version = version(tx).await?;
    let dialect = tx.dialect();
    for (ddl, next) in OWN.iter().zip(1i64..).filter(|(_, next)| *next > version) {
        tx.script(&schema::script(ddl, dialect)).await?;
        tx.exec("DELETE FROM neutronrs_schema", p![]).await?;
        tx.exec("INSERT INTO neutronrs_schema (version) VALUES (?)", p![next]).await?;
    }
    // A view holds nothing: it is made anew, so that it is always what this program expects.
    tx.script(&schema::views(dialect)).await?;
    for orphans in schema::orphans() {
        tx.queue(&orphans, p![]).await?;
    }
    tx.flush().await
}

/// How many of [`OWN`] a database has; 0 when it has none.
async fn version(tx: &mut Tx) -> Result<i64, Stop> {
    if !tx.tables().await?.iter().any(|table| table == "neutronrs_schema") {
        return Ok(0);
    }
    let row = tx.opt("SELECT version FROM neutronrs_schema", p![]).await?;
    let version = row.map_or(0, |r| r.int(0));
    let known = OWN.len();
    if usize::try_from(version).is_ok_and(|v| v <= known) {
        return Ok(version);
    }
    Err(Stop::Database(format!(
        "the database has version {version} of neutron-rs's own tables and this program knows {known}: \
         it was used by a newer neutron-rs; start that one, or restore the database as it was before"
    )))
}

async fn revision(tx: &mut Tx) -> Result<Revision, Stop> {
    let tables = tx.tables().await?;
    let has = |name: &str| tables.iter().any(|table| table == name);
    let mut found = Vec::new();
    if has("alembic_version") {
        let rows = tx.all("SELECT version_num FROM alembic_version ORDER BY version_num", p![]).await?;
        found = rows.iter().map(|row| row.text(0)).collect();
    }
    Ok(match found.as_slice() {
        [] if tables.is_empty() || has("neutronrs_schema") => Revision::Empty,
        heads if heads == ALEMBIC_HEADS => Revision::Heads,
        _ => Revision::Other(found),
    })
}

impl Tx {
    fn dialect(&self) -> schema::Dialect {
        match self.arm {
            Arm::Lite(_) => schema::Dialect::Lite,
            Arm::Maria(_) => schema::Dialect::Maria,
        }
    }

    /// The names of the tables that are there.
    async fn tables(&mut self) -> Result<Vec<String>, Stop> {
        let sql = match self.dialect() {
            schema::Dialect::Lite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
            }
            schema::Dialect::Maria => {
                "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
                 AND table_type = 'BASE TABLE' ORDER BY table_name"
            }
        };
        Ok(self.all(sql, p![]).await?.iter().map(|row| row.text(0)).collect())
    }

    /// Runs statements that make tables; on MariaDB each commits by itself.
    async fn script(&mut self, script: &str) -> Result<(), Stop> {
        match &mut self.arm {
            Arm::Lite(lite) => lite.script(script),
            Arm::Maria(maria) => maria.script(script).await,
        }
    }
}
