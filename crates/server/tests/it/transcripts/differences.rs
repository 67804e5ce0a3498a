//! The differences wanted on purpose: the tables of `docs/differences.md`.

use std::cell::Cell;

/// What `docs/differences.md` lists.
pub struct Differences {
    /// Resource and attribute that ours does not answer.
    attributes: Vec<(String, String, Cell<bool>)>,
    /// Lists of which ours has fewer elements.
    shorter: Vec<(String, Cell<bool>)>,
    /// Transcript and request that ours answers otherwise.
    requests: Vec<(String, String, Cell<bool>)>,
}

impl Differences {
    /// Reads the tables; their headings tell them apart.
    pub fn parse(text: &str) -> Differences {
        let mut all = Differences { attributes: Vec::new(), shorter: Vec::new(), requests: Vec::new() };
        let mut kind = "";
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                kind = heading;
            }
            let cells: Vec<_> = line.split(" | ").map(|c| c.trim_matches(['|', ' ', '`'])).collect();
            if !line.starts_with("| `") {
                continue;
            }
            match (kind, cells.as_slice()) {
                ("Attributes that are not answered", [resource, attributes, why]) if !why.is_empty() => {
                    for attribute in attributes.split("`, `") {
                        all.attributes.push((resource.to_string(), attribute.to_string(), Cell::new(false)));
                    }
                }
                ("Lists that are shorter", [list, why]) if !why.is_empty() => {
                    all.shorter.push((list.to_string(), Cell::new(false)));
                }
                ("Requests that are answered otherwise", [transcript, request, why]) if !why.is_empty() => {
                    all.requests.push((transcript.to_string(), request.to_string(), Cell::new(false)));
                }
                // Held by tests/onedb/run.py.
                ("One database, two programs", [_, _, why]) if !why.is_empty() => {}
                _ => panic!("docs/differences.md: a row that is not understood: {line}"),
            }
        }
        all
    }

    /// May this attribute be missing? `inside` is the key of the object or list around it.
    pub fn lacks(&self, inside: &str, attribute: &str) -> bool {
        let singular = match inside.strip_suffix("ies") {
            Some(stem) => format!("{stem}y"),
            None => inside.strip_suffix('s').unwrap_or(inside).to_string(),
        };
        mark(
            self.attributes
                .iter()
                .filter(|(r, a, _)| *r == singular && a == attribute)
                .map(|(_, _, used)| used),
        )
    }

    /// May this list be shorter?
    pub fn shortens(&self, list: &str) -> bool {
        mark(self.shorter.iter().filter(|(l, _)| l == list).map(|(_, used)| used))
    }

    /// Is this request answered otherwise on purpose?
    pub fn excuses(&self, transcript: &str, request: &str) -> bool {
        let hits =
            self.requests.iter().filter(|(t, r, _)| t == transcript && request.starts_with(r.as_str()));
        mark(hits.map(|(_, _, used)| used))
    }

    /// Rows that nothing needed: a list that is longer than the truth hides the next mistake.
    pub fn unused(&self) -> Vec<String> {
        let attributes =
            self.attributes.iter().filter(|(_, _, used)| !used.get()).map(|(r, a, _)| format!("{r} {a}"));
        let shorter = self.shorter.iter().filter(|(_, used)| !used.get()).map(|(l, _)| l.clone());
        let requests =
            self.requests.iter().filter(|(_, _, used)| !used.get()).map(|(t, r, _)| format!("{t} {r}"));
        attributes.chain(shorter).chain(requests).collect()
    }
}

fn mark<'a>(hits: impl Iterator<Item = &'a Cell<bool>>) -> bool {
    hits.map(|used| used.set(true)).count() > 0
}
