//! Upstream's tables, stated once as MariaDB states them, and their translation to SQLite.

use super::{Stop, Tx};
use crate::p;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// The tables of Neutron 29.0.0.
pub const NEUTRON_29: &str = include_str!("../../migrations/0000_neutron_29.sql");

/// What upstream's `alembic_version` holds for [`NEUTRON_29`] (expand and contract branch).
pub const ALEMBIC_HEADS: [&str; 2] = ["5c85685d616d", "c7f8d9e0f1a2"];

/// The tables that are ours alone, in the order in which they came; the n-th makes version n. Their prefix
/// (`neutronrs_`) keeps them out of upstream's way, and none adds to a table of upstream's.
pub const OWN: &[&str] = &[
    include_str!("../../migrations/0001_version.sql"),
    include_str!("../../migrations/0002_network_contacts.sql"),
];

/// All grants of all kinds of objects as one table to read: upstream keeps one table per kind.
pub const RBAC_POLICIES: &str = "neutronrs_rbac_policies";

/// The view [`RBAC_POLICIES`].
fn rbac_policies() -> String {
    let selects = crate::resources::rbac::kind::Kind::ALL.map(|kind| {
        format!(
            "SELECT id, project_id, target_project, action, object_id, '{}' AS object_type FROM {}",
            kind.name(),
            kind.grants()
        )
    });
    format!("CREATE VIEW {RBAC_POLICIES} AS {}", selects.join(" UNION ALL "))
}

/// Brings a database up to date: all tables on an empty one, what is missing of ours on any other.
pub(super) async fn install(tx: &mut Tx) -> Result<(), Stop> {
    let version = version(tx).await?;
    if version == 0 {
        make(tx, NEUTRON_29).await?;
        crate::resources::security_group::template::seed(tx).await?;
        for head in ALEMBIC_HEADS {
            tx.exec("INSERT INTO alembic_version (version_num) VALUES (?)", p![head]).await?;
        }
    }
    for (ddl, next) in OWN.iter().zip(1i64..).filter(|(_, next)| *next > version) {
        make(tx, ddl).await?;
        tx.exec("DELETE FROM neutronrs_schema", p![]).await?;
        tx.exec("INSERT INTO neutronrs_schema (version) VALUES (?)", p![next]).await?;
    }
    // A view holds nothing: it is made anew, so that it is always what this program expects.
    tx.exec(&format!("DROP VIEW IF EXISTS {RBAC_POLICIES}"), p![]).await?;
    tx.exec(&rbac_policies(), p![]).await?;
    Ok(())
}

/// How many of [`OWN`] a database has; 0 when it is empty.
async fn version(tx: &mut Tx) -> Result<i64, Stop> {
    let there = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'neutronrs_schema'";
    if tx.opt(there, p![]).await?.is_none() {
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

async fn make(tx: &mut Tx, ddl: &str) -> Result<(), Stop> {
    for table in tables(ddl) {
        for statement in table.to_sqlite() {
            tx.exec(&statement, p![]).await?;
        }
    }
    Ok(())
}

/// The name of the unique key over `columns` (`ports.network_id, ports.mac_address`, as SQLite reports a
/// violation), as upstream calls it; `PRIMARY` for a primary key.
pub fn key_name(columns: &str) -> Option<&'static str> {
    static KEYS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
        let mut keys = BTreeMap::new();
        for table in tables(NEUTRON_29) {
            let qualified = |columns: &str| {
                let names =
                    columns.split(',').map(|c| format!("{}.{}", table.name, c.trim().trim_matches('`')));
                names.collect::<Vec<_>>().join(", ")
            };
            for part in &table.parts {
                match part {
                    Part::Unique { name, columns } => keys.insert(qualified(columns), (*name).to_string()),
                    Part::Primary { columns } => keys.insert(qualified(columns), "PRIMARY".to_string()),
                    Part::Column { .. } | Part::Index { .. } | Part::Constraint(_) => None,
                };
            }
        }
        keys
    });
    KEYS.get(columns).map(String::as_str)
}

/// What a column holds, as the API shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `tinyint(1)`
    Bool,
    /// Any other number.
    Int,
    /// A date and time.
    Time,
    /// Text and enumerations.
    Text,
}

/// What a column of upstream's tables or ours holds; none when there is no such column.
pub fn kind(table: &str, column: &str) -> Option<Kind> {
    static KINDS: LazyLock<HashMap<(&str, &str), Kind>> = LazyLock::new(|| {
        let mut kinds = HashMap::new();
        for table in tables(NEUTRON_29).chain(OWN.iter().flat_map(|ddl| tables(ddl))) {
            for part in &table.parts {
                if let Part::Column { name, kind, .. } = part {
                    kinds.insert((table.name, *name), kind_of(kind));
                }
            }
        }
        kinds
    });
    match table {
        RBAC_POLICIES => Some(Kind::Text),
        _ => KINDS.get(&(table, column)).copied(),
    }
}

fn kind_of(declared: &str) -> Kind {
    match declared {
        "tinyint(1)" => Kind::Bool,
        "datetime" | "timestamp" => Kind::Time,
        _ if declared.contains("int(") => Kind::Int,
        _ => Kind::Text,
    }
}

/// One `CREATE TABLE`, taken apart.
struct Table<'a> {
    name: &'a str,
    parts: Vec<Part<'a>>,
}

enum Part<'a> {
    Column {
        name: &'a str,
        kind: &'a str,
        rest: &'a str,
    },
    Primary {
        columns: &'a str,
    },
    Unique {
        name: &'a str,
        columns: &'a str,
    },
    Index {
        name: &'a str,
        columns: &'a str,
    },
    /// Foreign keys and checks: both databases read the same words.
    Constraint(&'a str),
}

fn tables(ddl: &str) -> impl Iterator<Item = Table<'_>> {
    ddl.split("CREATE TABLE `").skip(1).filter_map(|text| {
        let (name, body) = text.split_once("` (\n")?;
        let (body, _) = body.split_once("\n);")?;
        Some(Table { name, parts: body.lines().filter_map(part).collect() })
    })
}

fn part(line: &str) -> Option<Part<'_>> {
    let line = line.trim().trim_end_matches(',');
    if line.starts_with("CONSTRAINT ") {
        return Some(Part::Constraint(line));
    }
    if let Some(rest) = line.strip_prefix("PRIMARY KEY (") {
        return Some(Part::Primary { columns: rest.trim_end_matches(')') });
    }
    if let Some(rest) = line.strip_prefix("UNIQUE KEY `") {
        let (name, columns) = rest.split_once("` (")?;
        return Some(Part::Unique { name, columns: columns.trim_end_matches(')') });
    }
    if let Some(rest) = line.strip_prefix("KEY `") {
        let (name, columns) = rest.split_once("` (")?;
        return Some(Part::Index { name, columns: columns.trim_end_matches(')') });
    }
    let (name, rest) = line.strip_prefix('`')?.split_once("` ")?;
    let end =
        if rest.starts_with("enum(") { rest.find(')')? + 1 } else { rest.find(' ').unwrap_or(rest.len()) };
    Some(Part::Column { name, kind: &rest[..end], rest: rest[end..].trim() })
}

impl Table<'_> {
    /// The statements that make this table and its indexes in SQLite.
    fn to_sqlite(&self) -> Vec<String> {
        let counted = self
            .parts
            .iter()
            .any(|p| matches!(p, Part::Column { rest, .. } if rest.contains("AUTO_INCREMENT")));
        let mut lines = Vec::new();
        let mut indexes = Vec::new();
        for part in &self.parts {
            match part {
                Part::Column { name, kind, rest } => lines.push(column(name, kind, rest)),
                Part::Primary { .. } if counted => {}
                Part::Primary { columns } => lines.push(format!("PRIMARY KEY ({columns})")),
                Part::Unique { columns, .. } => lines.push(format!("UNIQUE ({columns})")),
                Part::Index { name, columns } => indexes
                    .push(format!("CREATE INDEX `{}__{name}` ON `{}` ({columns})", self.name, self.name)),
                Part::Constraint(text) => lines.push((*text).to_string()),
            }
        }
        let mut all = vec![format!("CREATE TABLE `{}` (\n  {}\n)", self.name, lines.join(",\n  "))];
        all.extend(indexes);
        all
    }
}

/// A column in SQLite's words. Text compares without case, as MariaDB's utf8mb3_general_ci does.
fn column(name: &str, kind: &str, rest: &str) -> String {
    if rest.contains("AUTO_INCREMENT") {
        return format!("`{name}` INTEGER PRIMARY KEY AUTOINCREMENT");
    }
    let (kind, check) = match kind.split_once('(') {
        Some(("enum", values)) => (
            "TEXT COLLATE NOCASE".to_string(),
            format!(" CHECK (`{name}` IN ({}))", values.trim_end_matches(')')),
        ),
        Some(("varchar", _)) => (format!("{kind} COLLATE NOCASE"), String::new()),
        _ if kind == "datetime" || kind == "timestamp" => ("TEXT".to_string(), String::new()),
        _ => ("INTEGER".to_string(), String::new()),
    };
    // MariaDB writes `NULL DEFAULT …` and defaults such as current_timestamp() that SQLite spells differently.
    let rest = rest.replace("current_timestamp()", "CURRENT_TIMESTAMP");
    format!("`{name}` {kind} {rest}{check}").trim_end().to_string()
}
