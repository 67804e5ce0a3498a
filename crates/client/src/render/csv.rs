//! Comma separated values, as Python's csv module writes them with a backslash as escape character.

use serde_json::Value;

use crate::python;

/// A header line and a line per row. `quote` is one of `all`, `minimal`, `none`, `nonnumeric`.
pub fn list(columns: &[String], rows: &[Vec<Value>], quote: &str) -> String {
    let header: Vec<Value> = columns.iter().map(|name| Value::String(name.clone())).collect();
    [&header].into_iter().chain(rows).map(|row| line(row, quote)).collect()
}

fn line(row: &[Value], quote: &str) -> String {
    row.iter().map(|cell| field(cell, quote)).collect::<Vec<_>>().join(",") + "\n"
}

fn field(cell: &Value, quote: &str) -> String {
    // Python counts booleans as numbers.
    let number = matches!(cell, Value::Number(_) | Value::Bool(_));
    let text = if cell.is_null() { String::new() } else { python::text(cell) };
    let special = text.contains([',', '"', '\n', '\r', '\\']);
    let quoted = match quote {
        "all" => true,
        "minimal" => special,
        "none" => false,
        _ => !number || special,
    };
    if !quoted {
        let escape = |c: char| quote == "none" && [',', '"', '\n', '\r', '\\'].contains(&c);
        return text.chars().flat_map(|c| escape(c).then_some('\\').into_iter().chain([c])).collect();
    }
    let inner: String = text
        .chars()
        .flat_map(|c| {
            match c {
                '"' => Some('"'),
                '\\' => Some('\\'),
                _ => None,
            }
            .into_iter()
            .chain([c])
        })
        .collect();
    format!("\"{inner}\"")
}
