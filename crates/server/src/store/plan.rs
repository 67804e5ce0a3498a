//! The statement that reads a resource's rows, and how its columns become cells; made once per resource.

use crate::attr::{Attr, Body, Default, Home};
use crate::db::Val;
use crate::db::schema::{self, Kind};
use crate::extension::Resource;
use crate::record::Cell;
use std::sync::Arc;

/// How a resource's rows are read and written.
pub struct Plan {
    /// `SELECT … FROM … LEFT JOIN …`, without conditions.
    pub(super) select: String,
    /// What stands behind its FROM: the resource's table and those joined.
    pub(super) from: String,
    /// One per attribute, in their order.
    pub(super) reads: Vec<Read>,
    /// The attributes' names, in their order.
    pub names: Arc<[&'static str]>,
    /// The side tables.
    pub(super) sides: Vec<Side>,
}

/// A table with at most one row per resource.
#[derive(PartialEq, Eq, Clone, Copy)]
pub(super) struct Side {
    pub(super) table: &'static str,
    pub(super) key: &'static str,
}

/// How the next column becomes a cell.
pub(super) enum Read {
    Column(Kind),
    /// A time of `standardattributes`: upstream shows those in ISO 8601 with a Z.
    Zulu,
    /// A column of a side table, with what stands for a missing row.
    Side(Kind, Default),
    /// No column: filled later, or never.
    Nothing,
}

impl Plan {
    pub(crate) fn of(resource: &Resource, attributes: &[&'static Attr]) -> Result<Plan, String> {
        let (select, from) = (String::new(), String::new());
        let mut plan = Plan { select, from, reads: Vec::new(), names: [].into(), sides: Vec::new() };
        plan.names = attributes.iter().map(|a| a.name).collect();
        if resource.table.is_empty() {
            return Ok(plan);
        }
        let mut columns = Vec::new();
        for attr in attributes {
            columns.extend(place(resource, attr));
            let read = plan.read(resource, attr)?;
            plan.reads.push(read);
        }
        let mut from = resource.table.to_string();
        if resource.standard {
            from.push_str(&format!(
                " JOIN standardattributes ON standardattributes.id = {}.standard_attr_id",
                resource.table
            ));
        }
        for Side { table, key } in &plan.sides {
            from.push_str(&format!(" LEFT JOIN {table} ON {table}.`{key}` = {}.id", resource.table));
        }
        plan.select = format!("SELECT {} FROM {from}", columns.join(", "));
        plan.from = from;
        Ok(plan)
    }

    /// Whether a condition looks at a table that is joined to the resource's own.
    pub(super) fn joins_in(&self, condition: &str) -> bool {
        condition.contains("standardattributes.") || self.sides.iter().any(|s| condition.contains(s.table))
    }

    fn read(&mut self, resource: &Resource, attr: &Attr) -> Result<Read, String> {
        let kind = |table: &str, column: &str| {
            schema::kind(table, column)
                .ok_or_else(|| format!("{}.{}: there is no {table}.{column}", resource.name, attr.name))
        };
        Ok(match attr.home {
            Home::Column(column) => Read::Column(kind(resource.table, column)?),
            Home::Standard(column) => match kind("standardattributes", column)? {
                Kind::Time => Read::Zulu,
                other => Read::Column(other),
            },
            Home::Side { table, key, column } => {
                kind(table, key)?;
                let side = Side { table, key };
                if !self.sides.contains(&side) {
                    self.sides.push(side);
                }
                Read::Side(kind(table, column)?, attr.missing)
            }
            Home::Filled(_) | Home::Nowhere => Read::Nothing,
        })
    }
}

/// Where an attribute stands in the plan's statement; none when it is no column.
pub(super) fn place(resource: &Resource, attr: &Attr) -> Option<String> {
    match attr.home {
        Home::Column(column) => Some(format!("{}.`{column}`", resource.table)),
        Home::Standard(column) => Some(format!("standardattributes.`{column}`")),
        Home::Side { table, column, .. } => Some(format!("{table}.`{column}`")),
        Home::Filled(_) | Home::Nowhere => None,
    }
}

/// A row that is being made: what is written into its own table and into `standardattributes`, and the body
/// that side tables take their columns from.
pub(super) struct Made<'a> {
    pub(super) own: &'a [(&'static str, Val)],
    pub(super) standard: &'a [(&'static str, Val)],
    pub(super) body: &'a Body,
}

impl Made<'_> {
    /// The row as it will be read, with what is filled left out; none where the database has a say in it.
    pub(super) fn cells(&self, plan: &Plan, attributes: &[&'static Attr]) -> Option<Vec<Cell>> {
        let among = |columns: &[(&'static str, Val)], name: &str| {
            columns.iter().find(|(column, _)| *column == name).map(|(_, value)| value.clone())
        };
        let one = |(attr, read): (&&'static Attr, &Read)| match attr.home {
            Home::Column(column) => read.written(&among(self.own, column)?),
            // Nobody waited for the key.
            Home::Standard("id") => {
                Some(among(self.standard, "id").map_or(Cell::Absent, |key| cell(Kind::Int, Some(key))))
            }
            Home::Standard(column) => read.written(&among(self.standard, column)?),
            Home::Side { .. } => match self.body.get(attr.name) {
                Some(value) => read.written(&super::to_val(value)),
                None => Some(read.cell(&mut std::iter::once(Val::Null))),
            },
            Home::Filled(_) | Home::Nowhere => Some(Cell::Absent),
        };
        attributes.iter().zip(&plan.reads).map(one).collect()
    }
}

impl Read {
    /// How a value that is written will be read; none where the column makes something else of it.
    pub(super) fn written(&self, value: &Val) -> Option<Cell> {
        let kept = matches!(
            (self, value),
            (_, Val::Null)
                | (Read::Column(Kind::Bool | Kind::Int) | Read::Side(Kind::Bool | Kind::Int, _), Val::Int(_))
                | (Read::Column(Kind::Text) | Read::Side(Kind::Text, _) | Read::Zulu, Val::Text(_))
        );
        kept.then(|| self.cell(&mut std::iter::once(value.clone())))
    }

    pub(super) fn cell(&self, values: &mut impl Iterator<Item = Val>) -> Cell {
        match self {
            Read::Nothing => Cell::Absent,
            Read::Column(kind) => cell(*kind, values.next()),
            Read::Zulu => match values.next() {
                Some(Val::Text(time)) => Cell::Text(zulu(&time)),
                _ => Cell::Null,
            },
            Read::Side(kind, missing) => match cell(*kind, values.next()) {
                Cell::Null => missing_cell(*missing),
                other => other,
            },
        }
    }
}

fn cell(kind: Kind, value: Option<Val>) -> Cell {
    match (value, kind) {
        (None | Some(Val::Null), _) => Cell::Null,
        (Some(Val::Int(number)), Kind::Bool) => Cell::Bool(number != 0),
        (Some(Val::Int(number)), _) => Cell::Int(number),
        (Some(Val::Text(text)), _) => Cell::Text(text),
    }
}

fn missing_cell(missing: Default) -> Cell {
    match missing {
        Default::Required | Default::Unset | Default::Null => Cell::Null,
        Default::Bool(flag) => Cell::Bool(flag),
        Default::Int(number) => Cell::Int(number),
        Default::Text(text) => Cell::Text(text.to_string()),
        Default::EmptyList => Cell::Json("[]".to_string()),
        Default::EmptyDict => Cell::Json("{}".to_string()),
    }
}

/// `2026-11-21 22:08:34` as `2026-11-21T22:08:34Z`.
pub fn zulu(time: &str) -> String {
    let seconds = time.split('.').next().unwrap_or_default();
    format!("{}Z", seconds.replacen(' ', "T", 1))
}
