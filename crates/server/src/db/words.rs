//! What the two databases say in different words, and what both must refuse alike.

use super::{Arm, Stop, Tx, Val, schema};

impl Tx {
    /// Keeps a row as it is until the end of the transaction: whoever wants to change it, delete it, or refer to it anew
    /// waits. On SQLite, with its one writer, that is always so.
    ///
    /// On MariaDB it is queued ([`Tx::queue`]) and costs no round trip; what is read afterwards is what is true.
    pub async fn lock(&mut self, table: &str, id: &str) -> Result<(), Stop> {
        match &mut self.arm {
            Arm::Lite(_) => Ok(()),
            // What has a view's rows is locked where it is changed.
            Arm::Maria(maria) if maria.writes() && table != schema::RBAC_POLICIES => {
                maria
                    .queue(&format!("SELECT id FROM {table} WHERE id = ? FOR UPDATE"), &[Val::from(id)])
                    .await
            }
            Arm::Maria(_) => Ok(()),
        }
    }

    /// The key that the statement before drew, as an expression for the next one: so a row and what refers to it can travel
    /// together ([`Tx::queue`]).
    pub fn last_key(&self) -> &'static str {
        match self.arm {
            Arm::Lite(_) => "last_insert_rowid()",
            Arm::Maria(_) => "LAST_INSERT_ID()",
        }
    }

    /// Makes those who count a project's resources of one kind wait for each other until the end of the transaction. On
    /// SQLite, with its one writer, that is always so.
    ///
    /// On MariaDB the row of `quotausages` is locked, and made where it is missing. It is changed each time: nodes of a
    /// Galera cluster do not see each other's locks, only that both have changed a row. Python's server takes it
    /// as a count that has to be made anew (`dirty`), which is so.
    pub async fn lock_usage(&mut self, project: &str, quota: &str) -> Result<(), Stop> {
        match &mut self.arm {
            Arm::Lite(_) => Ok(()),
            Arm::Maria(maria) => {
                let sql = "INSERT INTO quotausages (project_id, resource, dirty, in_use, reserved) \
                           VALUES (?, ?, 1, 0, 0) ON DUPLICATE KEY UPDATE dirty = 1, in_use = 1 - in_use";
                maria.queue(sql, &[Val::from(project), Val::from(quota)]).await
            }
        }
    }

    /// What stands behind a SELECT whose rows are to be kept as they are until the end of the transaction; nothing on SQLite.
    pub(crate) fn for_update(&self) -> &'static str {
        match self.arm {
            Arm::Lite(_) => "",
            Arm::Maria(_) => "FOR UPDATE",
        }
    }

    /// Whether questions cost a round trip, so that it pays to ask several together.
    pub(crate) fn travels(&self) -> bool {
        matches!(self.arm, Arm::Maria(_)) && self.heard.is_none()
    }

    /// Whether this transaction may write.
    pub(crate) fn writes(&self) -> bool {
        match &self.arm {
            Arm::Lite(lite) => lite.writes(),
            Arm::Maria(maria) => maria.writes(),
        }
    }

    /// About how many rows a table has, or more: what the database knows without counting.
    pub(crate) async fn rows_at_most_about(&mut self, table: &str) -> Result<usize, Stop> {
        let row = match self.arm {
            Arm::Lite(_) => self.opt(&format!("SELECT max(rowid) FROM {table}"), &[]).await?,
            Arm::Maria(_) => {
                let sql = "SELECT table_rows FROM information_schema.tables \
                           WHERE table_schema = DATABASE() AND table_name = ?";
                self.opt(sql, &[Val::from(table)]).await?
            }
        };
        Ok(row.and_then(|row| usize::try_from(row.int(0)).ok()).unwrap_or_default())
    }

    /// The condition that `column` differs from the value of a `?`: NULL is a value like any other, and a
    /// change of case is a change, although both databases compare without case.
    pub fn differs(&self, column: &str) -> String {
        match self.arm {
            Arm::Lite(_) => format!("{column} IS NOT ? COLLATE BINARY"),
            Arm::Maria(_) => format!("NOT ({column} <=> BINARY ?)"),
        }
    }
}

/// Refuses text that upstream's columns (utf8mb3) cannot hold, on SQLite too: characters beyond U+FFFF.
pub(super) fn storable(params: &[Val]) -> Result<(), Stop> {
    for value in params {
        if let Val::Text(text) = value
            && text.bytes().any(|byte| byte >= 0xF0)
        {
            return Err(Stop::Value(format!("'{text}' has a character beyond U+FFFF, which is not stored")));
        }
    }
    Ok(())
}
