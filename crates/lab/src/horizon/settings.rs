//! Horizon's settings as the guide changes them: its lines typed into Debian's `local_settings.py`, byte for byte,
//! and what has to be mended of them.

use std::path::PathBuf;

use crate::guide::edits::{line_number, replaced};
use crate::guide::transcript::text;
use crate::site::project;

/// The dashboard's settings.
pub const LOCAL_SETTINGS: &str = "/etc/openstack-dashboard/local_settings.py";

/// A line that is changed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mend {
    /// The file.
    pub path: String,
    /// The line as it is; more than one where they are joined by `\n`.
    pub printed: String,
    /// The line as it has to be; empty when it goes.
    pub mended: String,
    /// What the dashboard says of it as printed; `-` when the guide has no part in it.
    pub said: String,
    /// Why.
    pub why: String,
}

impl Mend {
    /// Whether it is a slip of the guide's, that the dashboard stumbles over.
    pub fn is_slip(&self) -> bool {
        self.said != "-"
    }

    /// The text with it; fails when the line is not there once.
    ///
    /// # Errors
    /// The line is missing, or there is more than one.
    pub fn made(&self, text: &str) -> Result<String, String> {
        let Some((first, second)) = self.printed.split_once("\\n") else {
            return replaced(text, &self.printed, &self.mended);
        };
        let at = line_number(text, first).ok_or_else(|| format!("no line is {first:?}"))?;
        if text.lines().nth(at).map(str::trim) != Some(second) {
            return Err(format!("{second:?} does not follow {first:?}"));
        }
        let lines = text.lines().enumerate().filter(|(number, _)| *number != at);
        Ok(lines.map(|(n, line)| if n + 1 == at { &self.mended } else { line }.to_owned() + "\n").collect())
    }

    /// `file:line` in a text.
    pub fn place(&self, text: &str) -> String {
        let first = self.printed.split("\\n").next().unwrap_or_default();
        line_number(text, first).map_or_else(|| self.path.clone(), |line| format!("{}:{line}", self.path))
    }
}

/// The folder of this section's data.
fn folder() -> PathBuf {
    project().join("tests/guides/horizon")
}

/// The guide's lines, byte for byte.
///
/// # Errors
/// The file cannot be read.
pub fn printed() -> Result<String, String> {
    text(&folder().join("local_settings.py"))
}

/// What is mended, in order.
///
/// # Errors
/// The table cannot be read.
pub fn mends() -> Result<Vec<Mend>, String> {
    let table = text(&folder().join("edits.tsv"))?;
    let rows = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(mend).collect()
}

fn mend(row: &str) -> Result<Mend, String> {
    let cells: Vec<String> = row.split('\t').map(str::to_owned).collect();
    let [path, printed, mended, said, why] =
        <[String; 5]>::try_from(cells).map_err(|cells| format!("no edit: {cells:?}"))?;
    Ok(Mend { path, printed, mended, said, why })
}

/// Debian's file with the guide's lines typed into it as one would: each assignment in the place of the active one of
/// that name, of the first that is commented out, or at the end.
pub fn typed(file: &str, lines: &str) -> String {
    assignments(lines).into_iter().fold(file.to_owned(), |text, (name, assignment)| {
        let mut out = String::new();
        let active = text.lines().position(|line| assigns(line, name));
        let remark = text.lines().position(|line| assigns(line.trim_start_matches('#'), name));
        for (number, line) in text.lines().enumerate() {
            if active == Some(number) {
                out += &assignment;
                continue;
            }
            if active.is_none() && remark == Some(number) {
                out += &assignment;
            }
            out += &format!("{line}\n");
        }
        if active.or(remark).is_none() {
            out += &assignment;
        }
        out
    })
}

/// Names and texts of assignments that begin a line; what follows belongs to the one before.
fn assignments(lines: &str) -> Vec<(&str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    for line in lines.lines() {
        let name = line.split(" =").next().unwrap_or_default();
        let begins = assigns(line, name) && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        match found.last_mut() {
            Some((_, text)) if !begins => *text += &format!("{line}\n"),
            _ => found.push((name, format!("{line}\n"))),
        }
    }
    found
}

fn assigns(line: &str, name: &str) -> bool {
    line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_typed_in_the_place_of_what_they_replace() {
        let file = "DEBUG = False\n#CACHES = {\n#}\nHOST = \"a\"\nURL = HOST\n";
        let lines = "HOST = \"b\"\nCACHES = {\n'x': 1,\n}\nNEW = 1\n";
        assert_eq!(
            typed(file, lines),
            "DEBUG = False\nCACHES = {\n'x': 1,\n}\n#CACHES = {\n#}\nHOST = \"b\"\nURL = HOST\nNEW = 1\n"
        );
    }

    #[test]
    fn two_lines_become_one() {
        let mend = mend("/f\t'a.\\nb',\t'a.b',\tsaid\twhy").unwrap();
        assert_eq!(mend.made("x\n'a.\nb',\ny\n").unwrap(), "x\n'a.b',\ny\n");
        assert_eq!(mend.place("x\n'a.\nb',\n"), "/f:2");
        assert!(mend.made("x\n'a.\ny\n").is_err());
    }

    #[test]
    fn each_slip_is_in_what_the_guide_prints() {
        let mends = mends().unwrap();
        let mut lines = printed().unwrap();
        for slip in mends.iter().filter(|mend| mend.is_slip()) {
            assert_eq!(slip.path, LOCAL_SETTINGS);
            lines = slip.made(&lines).unwrap();
        }
        assert_eq!(mends.iter().filter(|mend| mend.is_slip()).count(), 2);
    }
}
