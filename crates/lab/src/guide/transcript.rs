//! A guide as data: what is typed where, which files are written, what the guide prints after it.

use std::path::{Path, PathBuf};

use crate::site::project;

/// A step of the guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub act: Act,
    /// What the guide prints after it.
    pub printed: Vec<String>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A statement typed into MariaDB's client.
    Sql(String),
    /// A file is written on a host.
    Edit {
        /// The host.
        host: String,
        /// The file's path there.
        path: String,
    },
    /// A command typed into a shell.
    Typed {
        /// The host that the prompt names.
        host: String,
        /// The line.
        line: String,
    },
}

/// A guide's data.
#[derive(Debug)]
pub struct Guide {
    /// Its folder in `tests/guides`.
    pub name: &'static str,
    /// What it types as the other tenant, whoever's variables were set last.
    pub as_demo: &'static [&'static str],
}

/// Linux bridges and VXLAN on two machines.
pub const LIBERTY: Guide = Guide {
    name: "liberty",
    // The tables show it.
    as_demo: &[
        "neutron net-create private",
        "neutron subnet-create private",
        "neutron router-create",
        "neutron router-interface-add",
        "neutron router-gateway-set",
    ],
};

/// Open vSwitch and GRE on three machines.
pub const JUNO: Guide = Guide { name: "juno", as_demo: &[] };

impl Guide {
    /// The folder of its data.
    pub fn folder(&self) -> PathBuf {
        project().join("tests/guides").join(self.name)
    }

    /// The steps of its transcript.
    ///
    /// # Errors
    /// It cannot be read, or has a line that is none of its forms.
    pub fn steps(&self) -> Result<Vec<Step>, String> {
        parse(&text(&self.folder().join("transcript.txt"))?)
    }

    /// A file of the guide's, byte for byte.
    ///
    /// # Errors
    /// It has none of that name.
    pub fn printed(&self, host: &str, path: &str) -> Result<String, String> {
        text(&self.folder().join(format!("printed/{host}{path}")))
    }

    /// The rows of a table of tab-separated cells; lines that begin with `#` are remarks.
    ///
    /// # Errors
    /// It cannot be read, or a row has not `cells` cells.
    pub fn rows(&self, name: &str, cells: usize) -> Result<Vec<Vec<String>>, String> {
        let text = text(&self.folder().join(name))?;
        let mut rows = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let row: Vec<String> = line.split('\t').map(str::to_owned).collect();
            if row.len() != cells {
                return Err(format!("{name}: {} cells where {cells} are expected: {line}", row.len()));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

/// Reads a file of the guide's data.
///
/// # Errors
/// It cannot be read.
pub fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Step>, String> {
    text.split("\n\n").map(str::trim_end).filter(|entry| !entry.is_empty()).map(step).collect()
}

fn step(entry: &str) -> Result<Step, String> {
    let mut lines = entry.lines();
    let first = lines.next().unwrap_or_default();
    let printed = lines.map(str::to_owned).collect();
    Ok(Step { act: act(first).ok_or_else(|| format!("no step of the guide: {first}"))?, printed })
}

fn act(line: &str) -> Option<Act> {
    if let Some(statement) = line.strip_prefix("MariaDB [(none)]> ") {
        return Some(Act::Sql(statement.to_owned()));
    }
    if let Some(file) = line.strip_prefix("edit ") {
        let (host, path) = file.split_once(' ')?;
        return Some(Act::Edit { host: host.to_owned(), path: path.to_owned() });
    }
    // [root@controller opst]# command, [opst@controller ~]$ command
    let (prompt, command) = line.strip_prefix('[')?.split_once(']')?;
    let host = prompt.split_once('@')?.1.split(' ').next()?;
    let line = command.strip_prefix(['#', '$'])?.trim();
    Some(Act::Typed { host: host.to_owned(), line: line.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_taken_apart() {
        let text = "MariaDB [(none)]> create database neutron;\nQuery OK\n\nedit compute /etc/a.ini\n\n\
                    [opst@controller ~]$ ip netns\nqrouter-1\n";
        let steps = parse(text).unwrap();
        assert_eq!(steps[0].act, Act::Sql("create database neutron;".to_owned()));
        assert_eq!(steps[0].printed, ["Query OK"]);
        assert_eq!(steps[1].act, Act::Edit { host: "compute".to_owned(), path: "/etc/a.ini".to_owned() });
        let typed = Act::Typed { host: "controller".to_owned(), line: "ip netns".to_owned() };
        assert_eq!((&steps[2].act, steps[2].printed.len()), (&typed, 1));
        assert!(parse("nonsense\n").is_err());
    }

    #[test]
    fn the_guides_can_be_read() {
        for (guide, files) in [(&LIBERTY, 10), (&JUNO, 14)] {
            let steps = guide.steps().unwrap();
            let mut edits = 0;
            for step in &steps {
                if let Act::Edit { host, path } = &step.act {
                    guide.printed(host, path).unwrap();
                    edits += 1;
                }
            }
            assert_eq!(edits, files, "{}", guide.name);
        }
    }
}
