//! Kernel parameters under `/proc/sys`, read and written in a given namespace.
//!
//! `/proc/sys/net` shows the namespace of the thread that opens a file, so one visit of a
//! thread serves many keys.

use std::path::PathBuf;

use crate::netns::Netns;
use crate::{Error, Result};

/// One wanted value: the key with slashes (`net/ipv4/ip_forward`; slashes because device
/// names may have dots) and its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// Path below `/proc/sys`.
    pub key: String,
    /// The value as text, without line end.
    pub value: String,
}

impl Setting {
    /// `key` is to be `value`.
    pub fn new(key: impl Into<String>, value: impl std::fmt::Display) -> Self {
        Setting { key: key.into(), value: value.to_string() }
    }
}

fn path(key: &str) -> Result<PathBuf> {
    if key.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(Error::Odd(format!("'{key}' is no kernel parameter")));
    }
    Ok(PathBuf::from("/proc/sys").join(key))
}

fn read_here(key: &str) -> Result<String> {
    let text = std::fs::read_to_string(path(key)?).map_err(|e| Error::io(format!("reading {key}"), e))?;
    Ok(text.trim_end().to_owned())
}

/// The value of one key.
///
/// # Errors
/// `is_gone()` when the kernel has no such key.
pub fn get(ns: &Netns, key: &str) -> Result<String> {
    ns.run(|| read_here(key))?
}

/// Writes those of `wanted` that differ from what is; says which were written.
///
/// # Errors
/// At the first key that cannot be read or written.
pub fn set(ns: &Netns, wanted: &[Setting]) -> Result<Vec<Setting>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    ns.run(|| {
        let mut written = Vec::new();
        for setting in wanted {
            if read_here(&setting.key).is_ok_and(|now| now == setting.value) {
                continue;
            }
            std::fs::write(path(&setting.key)?, &setting.value)
                .map_err(|e| Error::io(format!("writing {}={}", setting.key, setting.value), e))?;
            written.push(setting.clone());
        }
        Ok(written)
    })?
}
