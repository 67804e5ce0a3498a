//! Printing results: tables, JSON, YAML, CSV, shell assignments and bare values, byte for byte as cliff prints them.

mod csv;
mod table;
mod yaml;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::argparse::Args;
use crate::fault::Fault;
use crate::python;

pub use table::{Fit, width};

/// The shapes of output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// Comma separated values (lists only).
    Csv,
    /// JSON.
    Json,
    /// `name="value"` (single objects only).
    Shell,
    /// A table.
    Table,
    /// Values only.
    Value,
    /// YAML.
    Yaml,
}

impl Format {
    /// The format asked for by `-f`.
    pub fn of(args: &Args) -> Self {
        match args.get("formatter").and_then(Value::as_str) {
            Some("csv") => Self::Csv,
            Some("json") => Self::Json,
            Some("shell") => Self::Shell,
            Some("value") => Self::Value,
            Some("yaml") => Self::Yaml,
            Some(_) | None => Self::Table,
        }
    }
}

/// Rows under column names.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The names.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
}

fn words(args: &Args, dest: &str) -> Vec<String> {
    let list = args.get(dest).and_then(Value::as_array);
    list.into_iter().flatten().map(python::text).collect()
}

fn flag(args: &Args, dest: &str) -> bool {
    args.get(dest).is_some_and(python::truthy)
}

fn indent(args: &Args) -> Option<usize> {
    if flag(args, "noindent") { None } else { Some(2) }
}

fn normal(name: &str) -> String {
    name.to_lowercase().trim().replace(' ', "_")
}

/// Which columns `-c` leaves. `known` is how Python would print the known names.
fn chosen(asked: &[String], columns: &[String], known: &str) -> Result<Vec<usize>, Fault> {
    if asked.is_empty() {
        return Ok((0..columns.len()).collect());
    }
    let wanted: BTreeSet<String> = asked.iter().map(|name| normal(name)).collect();
    let kept: Vec<usize> = (0..columns.len()).filter(|&at| wanted.contains(&normal(&columns[at]))).collect();
    if kept.is_empty() {
        let asked = python::repr_list(asked);
        return Err(Fault::Command(format!(
            "No recognized column names in {asked}. Recognized columns are {known}."
        )));
    }
    Ok(kept)
}

/// Prints a list.
///
/// # Errors
/// `-c` names no column there is.
pub fn list(listing: Listing, args: &Args, asked: &[String], fit: Fit) -> Result<String, Fault> {
    let Listing { columns, mut rows } = listing;
    sort(&columns, &mut rows, args);
    let kept = chosen(asked, &columns, &python::repr_list(&columns))?;
    let columns: Vec<String> = kept.iter().map(|&at| columns[at].clone()).collect();
    let rows: Vec<Vec<Value>> = rows
        .into_iter()
        .map(|row| kept.iter().map(|&at| row.get(at).cloned().unwrap_or_default()).collect())
        .collect();
    Ok(match Format::of(args) {
        Format::Csv => {
            csv::list(&columns, &rows, args.get("quote_mode").and_then(Value::as_str).unwrap_or_default())
        }
        Format::Json => python::json(&Value::Array(objects(&columns, rows)), indent(args)) + "\n",
        Format::Yaml => yaml::list(objects(&columns, rows)),
        Format::Value => {
            rows.iter().map(|row| row.iter().map(python::text).collect::<Vec<_>>().join(" ") + "\n").collect()
        }
        Format::Table | Format::Shell => table::list(&columns, &rows, flag(args, "print_empty"), fit),
    })
}

fn objects(columns: &[String], rows: Vec<Vec<Value>>) -> Vec<Value> {
    rows.into_iter().map(|row| Value::Object(columns.iter().cloned().zip(row).collect())).collect()
}

fn sort(columns: &[String], rows: &mut [Vec<Value>], args: &Args) {
    let descending = args.get("sort_direction").and_then(Value::as_str) == Some("desc");
    for name in words(args, "sort_columns").iter().rev() {
        let Some(at) = columns.iter().position(|column| normal(column) == normal(name)) else { continue };
        let key = |row: &Vec<Value>| match row.get(at) {
            Some(Value::Number(number)) => (false, number.as_f64().unwrap_or(0.0), String::new()),
            Some(Value::Null) | None => (true, 0.0, String::new()),
            Some(other) => (false, 0.0, python::text(other)),
        };
        rows.sort_by(|a, b| {
            let (a, b) = (key(a), key(b));
            let order = a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2));
            if descending { order.reverse() } else { order }
        });
    }
}

/// Prints one object, its fields in the order given.
///
/// # Errors
/// `-c` names no field there is.
pub fn one(object: Map<String, Value>, args: &Args, fit: Fit) -> Result<String, Fault> {
    let names: Vec<String> = object.keys().cloned().collect();
    let asked = words(args, "columns");
    let kept = chosen(&asked, &names, &python::repr_tuple(&names))?;
    let fields: Vec<(String, Value)> =
        object.into_iter().enumerate().filter(|(at, _)| kept.contains(at)).map(|(_, field)| field).collect();
    Ok(match Format::of(args) {
        Format::Json => python::json(&Value::Object(fields.into_iter().collect()), indent(args)) + "\n",
        Format::Yaml => yaml::one(&fields),
        Format::Value => fields.iter().map(|(_, value)| python::text(value) + "\n").collect(),
        Format::Shell => shell(&fields, args),
        Format::Table | Format::Csv => table::one(&fields, fit),
    })
}

fn shell(fields: &[(String, Value)], args: &Args) -> String {
    let wanted = words(args, "variables");
    let prefix = args.get("prefix").and_then(Value::as_str).unwrap_or_default();
    let mut out = String::new();
    for (name, value) in fields {
        let name = name.to_lowercase().replace(' ', "_");
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        let value = match value {
            Value::String(text) => text.replace('"', "\\\""),
            other => python::text(other),
        };
        out.push_str(&format!("{prefix}{}=\"{value}\"\n", name.replace([':', '-'], "_")));
    }
    out
}
