//! The house rules of CONTRIBUTING.md that a program can check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which crates may be used by which. A crate that is not in the second list of its row may not be used.
const DIRECTION: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("oslo", &[]),
    ("rpc", &["model", "oslo"]),
    ("host", &["model"]),
    ("ovs", &[]),
    ("agent", &["host", "model", "oslo", "ovs", "rpc"]),
    ("server", &["model", "oslo", "rpc"]),
    ("client", &["model"]),
    ("neutron", &["agent", "client", "host", "model", "oslo", "rpc", "server"]),
    ("lab", &[]),
];

/// Crates that hold words and rules only: no runtime, nothing that waits.
const PURE: &[&str] = &["model", "oslo"];

/// Lines of a source file, its tests apart.
const FILE_LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(&root().join("crates"), &mut files);
    assert!(files.len() > 20, "the sources were not found");
    files.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The names in a manifest's `[dependencies]`.
fn dependencies(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let body = text.split("[dependencies]").nth(1).unwrap_or_default();
    let body = body.split("\n[").next().unwrap_or_default();
    body.lines()
        .filter_map(|l| l.split(['.', ' ', '=']).next())
        .filter(|n| !n.is_empty())
        .map(str::to_string)
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let ours: Vec<&str> = DIRECTION.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for (name, allowed) in DIRECTION {
        for used in dependencies(name) {
            if ours.contains(&used.as_str()) && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{name} uses {used}"));
            }
            if PURE.contains(name) && used == "tokio" {
                wrong.push(format!("{name} uses {used}: it holds words and rules only"));
            }
        }
    }
    let on_disk = std::fs::read_dir(root().join("crates")).unwrap().count();
    assert_eq!(on_disk, DIRECTION.len(), "a crate is missing in DIRECTION");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(p, _)| p).collect();
    assert!(silent.is_empty(), "these files do not open with `//!`: {silent:#?}");
}

#[test]
fn a_file_is_read_in_a_sitting() {
    let mut long = BTreeMap::new();
    for (path, text) in sources() {
        let shown = path.display().to_string();
        if shown.contains("/tests/") || shown.ends_with("/tests.rs") {
            continue;
        }
        let lines = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().count();
        if lines > FILE_LINES_MAX {
            long.insert(shown, lines);
        }
    }
    assert!(long.is_empty(), "longer than {FILE_LINES_MAX} lines: {long:#?}");
}

/// What is pure may not reach for the world: see CONTRIBUTING.md, "Pure middle, I/O at the rim".
#[test]
fn desired_and_plan_touch_nothing() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != "desired.rs" && name != "plan.rs" {
            continue;
        }
        for banned in [
            "tokio::",
            "std::fs",
            "std::process",
            "std::net::Tcp",
            "Instant::now",
            "SystemTime::now",
            ".await",
        ] {
            if text.contains(banned) {
                wrong.push(format!("{} uses {banned}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// An extension's file that nobody listed would be an extension that silently is not there.
#[test]
fn every_extension_is_listed() {
    let dir = root().join("crates/server/src/extensions");
    let list = std::fs::read_to_string(dir.join("mod.rs")).unwrap();
    let missing: Vec<String> = std::fs::read_dir(&dir)
        .unwrap()
        .flatten()
        .map(|e| e.path().file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .filter(|stem| stem != "mod" && !list.contains(&format!("{stem}::")))
        .collect();
    assert!(missing.is_empty(), "not in extensions/mod.rs: {missing:?}");
}

/// What CONTRIBUTING.md calls dead words: places where work was left.
#[test]
fn nothing_is_left_open() {
    let marks = [concat!("FIX", "ME"), concat!("XX", "X:"), concat!("TO", "DO"), concat!("HA", "CK")];
    let mut left = Vec::new();
    for (path, text) in sources() {
        for (at, line) in text.lines().enumerate() {
            if marks.iter().any(|m| line.contains(m)) {
                left.push(format!("{}:{}", path.display(), at + 1));
            }
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}
