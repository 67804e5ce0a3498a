//! The table of figures, as text and as Markdown at once.

use std::fmt;

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Line {
    /// What was measured.
    pub what: String,
    /// The figure with its unit.
    pub figure: String,
    /// The aim, where there is one.
    pub aim: String,
    /// What Python Neutron 29.0.0 took on a machine of this kind, where it was measured.
    pub python: String,
}

/// Figures under the name of the machine they were measured on.
#[derive(Debug, Clone)]
pub struct Table {
    machine: String,
    lines: Vec<Line>,
}

impl Table {
    /// An empty table.
    pub fn new(machine: String) -> Table {
        Table { machine, lines: Vec::new() }
    }

    /// Adds a line.
    pub fn add(&mut self, what: impl Into<String>, figure: impl Into<String>, aim: &str, python: &str) {
        let (what, figure) = (what.into(), figure.into());
        self.lines.push(Line { what, figure, aim: aim.into(), python: python.into() });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.machine)?;
        let head = ["what", "neutron-rs", "aim", "Python Neutron 29.0.0"].map(str::to_string);
        let rows =
            self.lines.iter().map(|l| [l.what.clone(), l.figure.clone(), l.aim.clone(), l.python.clone()]);
        let all: Vec<[String; 4]> = std::iter::once(head).chain(rows).collect();
        let width = |i: usize| all.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        for (n, row) in all.iter().enumerate() {
            let cells = row.iter().zip(widths).map(|(cell, w)| format!("{cell:<w$}"));
            writeln!(f, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
            if n == 0 {
                writeln!(f, "|{}|", widths.map(|w| "-".repeat(w + 2)).join("|"))?;
            }
        }
        Ok(())
    }
}
