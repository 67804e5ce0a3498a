//! Upstream's tables, stated once as MariaDB states them, and their translation to SQLite.

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
    include_str!("../../migrations/0003_outbox.sql"),
];

/// All grants of all kinds of objects as one table to read: upstream keeps one table per kind.
pub const RBAC_POLICIES: &str = "neutronrs_rbac_policies";

/// In whose words tables are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Lite,
    Maria,
}

/// The statements that make the tables of `ddl` where they are missing.
pub(super) fn script(ddl: &str, dialect: Dialect) -> String {
    let statements = tables(ddl).flat_map(|table| match dialect {
        Dialect::Lite => table.to_sqlite(),
        Dialect::Maria => vec![table.to_maria()],
    });
    statements.map(|statement| statement + ";\n").collect()
}

/// The statements that make our views anew.
pub(super) fn views(dialect: Dialect) -> String {
    let selects = crate::resources::rbac::kind::Kind::ALL.map(|kind| {
        format!(
            "SELECT id, project_id, target_project, action, object_id, '{}' AS object_type FROM {}",
            kind.name(),
            kind.grants()
        )
    });
    let make = match dialect {
        Dialect::Lite => format!("DROP VIEW IF EXISTS {RBAC_POLICIES}; CREATE VIEW"),
        // Other servers read it meanwhile.
        Dialect::Maria => "CREATE OR REPLACE SQL SECURITY INVOKER VIEW".to_string(),
    };
    format!("{make} {RBAC_POLICIES} AS {}", selects.join(" UNION ALL "))
}

/// The statements that remove rows of our own tables whose upstream row is gone. On MariaDB our tables carry no foreign
/// keys, for these would stand in the way of upstream's migrations.
pub(super) fn orphans() -> Vec<String> {
    let mut all = Vec::new();
    for table in OWN.iter().flat_map(|ddl| tables(ddl)) {
        for part in &table.parts {
            if let Part::Constraint(text) = part
                && let Some((_, rest)) = text.split_once("FOREIGN KEY (`")
                && let Some((column, rest)) = rest.split_once("`) REFERENCES `")
                && let Some((parent, rest)) = rest.split_once("` (`")
                && let Some((key, _)) = rest.split_once("`)")
            {
                all.push(format!(
                    "DELETE FROM {} WHERE {column} NOT IN (SELECT {key} FROM {parent})",
                    table.name
                ));
            }
        }
    }
    all
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
    /// The statement that makes this table in MariaDB.
    fn to_maria(&self) -> String {
        let own = self.name.starts_with("neutronrs_");
        let mut lines = Vec::new();
        for part in &self.parts {
            match part {
                Part::Column { name, kind, rest } => {
                    lines.push(format!("`{name}` {kind} {rest}").trim_end().to_string());
                }
                Part::Primary { columns } => lines.push(format!("PRIMARY KEY ({columns})")),
                Part::Unique { name, columns } => lines.push(format!("UNIQUE KEY `{name}` ({columns})")),
                Part::Index { name, columns } => lines.push(format!("KEY `{name}` ({columns})")),
                Part::Constraint(text) if own && text.contains("FOREIGN KEY") => {}
                Part::Constraint(text) => lines.push((*text).to_string()),
            }
        }
        format!(
            "CREATE TABLE IF NOT EXISTS `{}` (\n  {}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci",
            self.name,
            lines.join(",\n  ")
        )
    }

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
                Part::Index { name, columns } => indexes.push(format!(
                    "CREATE INDEX IF NOT EXISTS `{}__{name}` ON `{}` ({columns})",
                    self.name, self.name
                )),
                Part::Constraint(text) => lines.push((*text).to_string()),
            }
        }
        let mut all =
            vec![format!("CREATE TABLE IF NOT EXISTS `{}` (\n  {}\n)", self.name, lines.join(",\n  "))];
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
        _ if ["datetime", "timestamp", "mediumtext"].contains(&kind) => ("TEXT".to_string(), String::new()),
        _ => ("INTEGER".to_string(), String::new()),
    };
    // MariaDB writes `NULL DEFAULT …` and defaults such as current_timestamp() that SQLite spells differently.
    let rest = rest.replace("current_timestamp()", "CURRENT_TIMESTAMP");
    format!("`{name}` {kind} {rest}{check}").trim_end().to_string()
}
