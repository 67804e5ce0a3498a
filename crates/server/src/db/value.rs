//! Values, as they are bound to statements and read from rows.

/// A value bound to a statement or read from a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Val {
    /// SQL NULL.
    Null,
    /// Any integer column, booleans included (0 and 1).
    Int(i64),
    /// Text, times and enumerations included.
    Text(String),
}

impl From<&str> for Val {
    fn from(text: &str) -> Val {
        Val::Text(text.to_string())
    }
}
impl From<String> for Val {
    fn from(text: String) -> Val {
        Val::Text(text)
    }
}
impl From<&String> for Val {
    fn from(text: &String) -> Val {
        Val::Text(text.clone())
    }
}
impl From<i64> for Val {
    fn from(number: i64) -> Val {
        Val::Int(number)
    }
}
impl From<bool> for Val {
    fn from(flag: bool) -> Val {
        Val::Int(i64::from(flag))
    }
}
impl<T: Into<Val>> From<Option<T>> for Val {
    fn from(value: Option<T>) -> Val {
        value.map_or(Val::Null, Into::into)
    }
}

/// The parameters of a statement: `p![id, name, true]`.
#[macro_export]
macro_rules! p {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Val::from($value)),*][..] };
}

/// One row of an answer; columns are read by position.
#[derive(Debug, Clone)]
pub struct Row(pub(crate) Vec<Val>);

impl Row {
    /// The text in a column; empty where it is NULL or a number.
    pub fn text(&self, column: usize) -> String {
        self.opt_text(column).unwrap_or_default()
    }
    /// As [`Row::text`], where it stands.
    pub fn str(&self, column: usize) -> &str {
        match self.0.get(column) {
            Some(Val::Text(text)) => text,
            _ => "",
        }
    }
    /// The text in a column that may be NULL.
    pub fn opt_text(&self, column: usize) -> Option<String> {
        match self.0.get(column) {
            Some(Val::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }
    /// The integer in a column; 0 where it is NULL or text.
    pub fn int(&self, column: usize) -> i64 {
        self.opt_int(column).unwrap_or_default()
    }
    /// The integer in a column that may be NULL.
    pub fn opt_int(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Val::Int(number)) => Some(*number),
            _ => None,
        }
    }
    /// The boolean in a column; NULL is false.
    pub fn flag(&self, column: usize) -> bool {
        self.int(column) != 0
    }
    /// A column as it came.
    pub fn value(&self, column: usize) -> Val {
        self.0.get(column).cloned().unwrap_or(Val::Null)
    }
}

/// What a statement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Rows that matched, changed or not.
    pub affected: u64,
    /// The key that an insert into a table with an automatic key drew.
    pub last_id: i64,
}
