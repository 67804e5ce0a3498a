//! What is changed in the guide's files where they cannot work: a table beside them, edit by edit.

use super::transcript::Guide;

/// A change, and what our processes say of the slip behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is changed.
    pub kind: Kind,
    /// The host whose file it is.
    pub host: String,
    /// The file.
    pub path: String,
    /// Words of what is said of the slip.
    pub said: String,
}

/// Kinds of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A line is replaced.
    Line {
        /// As printed.
        printed: String,
        /// As it has to be.
        mended: String,
    },
    /// The file gets another name.
    Name(String),
    /// The file is missing: that of another host is taken.
    Copy(String),
}

impl Edit {
    /// In a few words.
    pub fn shown(&self) -> String {
        let (host, path) = (&self.host, &self.path);
        match &self.kind {
            Kind::Line { printed, mended } => format!("{host}:{path}: {printed} -> {mended}"),
            Kind::Name(name) => format!("{host}:{path} -> {name}"),
            Kind::Copy(from) => format!("{host}:{path} as on {from}"),
        }
    }
}

/// The table of edits.
///
/// # Errors
/// It cannot be read.
pub fn read(guide: &Guide, name: &str) -> Result<Vec<Edit>, String> {
    guide.rows(name, 6)?.into_iter().map(edit).collect()
}

fn edit(row: Vec<String>) -> Result<Edit, String> {
    let [kind, host, path, printed, mended, said] =
        <[String; 6]>::try_from(row).map_err(|row| format!("no edit: {row:?}"))?;
    let kind = match kind.as_str() {
        "line" => Kind::Line { printed, mended },
        "name" => Kind::Name(mended),
        "copy" => Kind::Copy(mended),
        other => return Err(format!("no kind of edit: {other}")),
    };
    Ok(Edit { kind, host, path, said })
}

/// A text with one line replaced; blanks at the end of lines do not count, as in the guide.
///
/// # Errors
/// It has no such line, or more than one.
pub fn replaced(text: &str, printed: &str, mended: &str) -> Result<String, String> {
    let count = text.lines().filter(|line| line.trim() == printed).count();
    if count != 1 {
        return Err(format!("{count} lines are {printed:?}"));
    }
    let line = |line: &str| if line.trim() == printed { mended.to_owned() } else { line.to_owned() };
    Ok(text.lines().map(|l| line(l) + "\n").collect())
}

/// The number of the only line of a text that is `wanted`.
pub fn line_number(text: &str, wanted: &str) -> Option<usize> {
    text.lines().position(|line| line.trim() == wanted).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guide::transcript::{JUNO, LIBERTY};

    #[test]
    fn each_edit_fits_the_file_it_is_for() {
        for guide in [&LIBERTY, &JUNO] {
            let (mut renamed, edits) = (Vec::new(), read(guide, "edits.tsv").unwrap());
            for edit in &edits {
                let host = &edit.host;
                match &edit.kind {
                    Kind::Line { printed: line, mended } => {
                        let name = renamed
                            .iter()
                            .find(|(on, _, to)| *on == host && *to == &edit.path)
                            .map_or(&edit.path, |(_, from, _)| *from);
                        replaced(&guide.printed(host, name).unwrap(), line, mended).unwrap();
                    }
                    Kind::Name(name) => {
                        guide.printed(host, &edit.path).unwrap();
                        renamed.push((host, &edit.path, name));
                    }
                    Kind::Copy(from) => {
                        guide.printed(from, &edit.path).unwrap();
                        guide.printed(host, &edit.path).unwrap_err();
                    }
                }
            }
        }
    }

    #[test]
    fn a_line_is_replaced_once() {
        assert_eq!(replaced("a \nb \n", "a", "c").unwrap(), "c\nb \n");
        assert!(replaced("a\na \n", "a", "c").is_err());
        assert_eq!(line_number("x\n y \n", "y"), Some(2));
    }
}
