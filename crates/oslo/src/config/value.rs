//! What an option's text can be read as.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// A type that options can have.
pub trait Value: Sized {
    /// Its name in samples and refusals: `boolean value`.
    const KIND: &'static str;
    /// Reads one assignment's text; says what it should have been.
    fn read(text: &str) -> Result<Self, String>;
    /// Reads all assignments of a multi-valued option; the last one counts unless the type says otherwise.
    fn read_all(texts: &[String]) -> Result<Self, String> {
        Self::read(texts.last().map(String::as_str).unwrap_or_default())
    }
    /// The text that reads as this value; none where there is none.
    fn show(&self) -> Option<String>;
}

impl Value for bool {
    const KIND: &'static str = "boolean value";
    fn read(text: &str) -> Result<bool, String> {
        match text.trim().to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("\"{text}\" is neither true nor false")),
        }
    }
    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

macro_rules! numbers {
    ($($kind:ty, $name:literal;)*) => { $(
        impl Value for $kind {
            const KIND: &'static str = $name;
            fn read(text: &str) -> Result<$kind, String> {
                text.trim().parse().map_err(|_| format!("\"{text}\" is not a whole number from {} to {}", <$kind>::MIN, <$kind>::MAX))
            }
            fn show(&self) -> Option<String> { Some(self.to_string()) }
        }
    )* };
}
numbers! { i64, "integer value"; u64, "integer value"; u32, "integer value"; u16, "port or integer value"; u8, "integer value"; usize, "integer value"; }

impl Value for f64 {
    const KIND: &'static str = "floating point value";
    fn read(text: &str) -> Result<f64, String> {
        text.trim().parse().map_err(|_| format!("\"{text}\" is not a number"))
    }
    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for String {
    const KIND: &'static str = "string value";
    fn read(text: &str) -> Result<String, String> {
        Ok(text.to_string())
    }
    fn show(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Value for IpAddr {
    const KIND: &'static str = "ip address value";
    fn read(text: &str) -> Result<IpAddr, String> {
        let text = text.trim();
        text.parse().map_err(|_| {
            // A remark behind the address is the slip that guides are copied with.
            let end =
                text.find(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':').unwrap_or(text.len());
            let meant = text[..end].parse::<IpAddr>().map(|ip| format!("; write {ip} and nothing after it"));
            format!("\"{text}\" is not an IP address{}", meant.unwrap_or_default())
        })
    }
    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl<T: Value> Value for Option<T> {
    const KIND: &'static str = T::KIND;
    fn read(text: &str) -> Result<Option<T>, String> {
        if text.is_empty() { Ok(None) } else { T::read(text).map(Some) }
    }
    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }
}

/// A list: texts between commas.
impl Value for Vec<String> {
    const KIND: &'static str = "list value";
    fn read(text: &str) -> Result<Vec<String>, String> {
        Ok(text.split([',', '\n']).map(str::trim).filter(|t| !t.is_empty()).map(str::to_string).collect())
    }
    fn show(&self) -> Option<String> {
        Some(self.join(","))
    }
}

/// A dict: `key:value` between commas.
impl Value for BTreeMap<String, String> {
    const KIND: &'static str = "dict value";
    fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
        let pairs = text.split([',', '\n']).map(str::trim).filter(|t| !t.is_empty());
        pairs
            .map(|pair| {
                let (key, value) =
                    pair.split_once(':').ok_or(format!("\"{pair}\" is not of the form key:value"))?;
                Ok((key.trim().to_string(), value.trim().to_string()))
            })
            .collect()
    }
    fn show(&self) -> Option<String> {
        Some(self.iter().map(|(k, v)| format!("{k}:{v}")).collect::<Vec<_>>().join(","))
    }
}

/// A multi-valued option: every assignment counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Multi(pub Vec<String>);

impl Value for Multi {
    const KIND: &'static str = "multi valued";
    fn read(text: &str) -> Result<Multi, String> {
        Ok(Multi(vec![text.to_string()]))
    }
    fn read_all(texts: &[String]) -> Result<Multi, String> {
        Ok(Multi(texts.to_vec()))
    }
    fn show(&self) -> Option<String> {
        Some(self.0.join("\n"))
    }
}

/// The closest of `names` to what was written, if any is close enough to be meant.
pub fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (written.len() / 3).max(2);
    names.map(|name| (distance(written, name), name)).filter(|(d, _)| *d <= limit).min().map(|(_, name)| name)
}

/// Levenshtein's distance: letters to insert, drop or change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let kept = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = kept.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
