//! Queries that were better asked together with what belongs to their rows: asked again, they are from the start.
//!
//! Only a saving: where the rows have become few since, the database looks at a few rows more.

use crate::db::Val;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

/// Queries remembered; beyond, all are forgotten and learnt anew.
const QUERIES_MAX: usize = 1024;
/// How often a query is asked that way before it is judged anew.
const TIMES: u32 = 100;

/// What a server remembers of the queries of long lists.
#[derive(Debug, Default)]
pub struct Habits(Mutex<HashMap<u64, u32>>);

/// A query with its parameters, for short.
pub(super) fn name(sql: &str, params: &[Val]) -> u64 {
    let mut hasher = DefaultHasher::new();
    sql.hash(&mut hasher);
    for param in params {
        match param {
            Val::Null => 0.hash(&mut hasher),
            Val::Int(number) => number.hash(&mut hasher),
            Val::Text(text) => text.hash(&mut hasher),
        }
    }
    hasher.finish()
}

impl Habits {
    /// Whether a query is asked together with what belongs to its rows, this time.
    pub(super) fn uses(&self, query: u64) -> bool {
        let Ok(mut times) = self.0.lock() else { return false };
        match times.get_mut(&query) {
            Some(0) => times.remove(&query).is_some_and(|left| left > 0),
            Some(left) => {
                *left -= 1;
                true
            }
            None => false,
        }
    }

    /// Remembers whether a query found so many rows that it was better asked that way.
    pub(super) fn judged(&self, query: u64, together: bool) {
        let Ok(mut times) = self.0.lock() else { return };
        if !together {
            times.remove(&query);
            return;
        }
        if times.len() >= QUERIES_MAX {
            times.clear();
        }
        times.entry(query).or_insert(TIMES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_asked_together_until_it_finds_little_or_is_judged_anew() {
        let habits = Habits::default();
        let (one, other) = (name("SELECT ?", &[Val::Int(1)]), name("SELECT ?", &[Val::Int(2)]));
        assert!(!habits.uses(one), "nothing is known");
        habits.judged(one, true);
        assert!(habits.uses(one) && !habits.uses(other));
        habits.judged(one, false);
        assert!(!habits.uses(one), "it found little");
        habits.judged(one, true);
        for _ in 0..TIMES {
            assert!(habits.uses(one));
            habits.judged(one, true);
        }
        assert!(!habits.uses(one), "it is judged anew");
        habits.judged(one, true);
        assert!(habits.uses(one));
    }
}
