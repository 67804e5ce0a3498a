//! Plays what Python Neutron answered (`tests/api/transcripts`) against our server and reports every
//! difference that `docs/differences.md` does not list.
//!
//! `TRANSCRIPT=name` plays one file, `TRANSCRIPT_SUMMARY=1` counts differences by kind,
//! `TRANSCRIPT_SERVER=host:port` plays against a server that runs already.

mod compare;
mod differences;
mod file;
pub mod http;
mod names;
mod reference;

use compare::Difference;
use differences::Differences;
use file::Step;
use names::Names;
use reference::Server;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The kind of difference that nothing excuses.
const FAILED: &str = "failed";

/// A difference with its place.
struct Found {
    place: String,
    request: String,
    difference: Difference,
}

fn play(path: &Path, server: &Server, known: &Differences) -> Vec<Found> {
    let steps = file::read(path);
    let transcript = path.file_stem().map(|s| s.to_string_lossy().to_string()).unwrap_or_default();
    let text: Vec<_> = steps.iter().map(|s| format!("{} {}", s.path, s.body)).collect();
    let mut names = Names::new(&text.join("\n"));
    let mut found = Vec::new();
    for step in &steps {
        let mut differences = ask(step, server, &mut names, known);
        for _ in 0..if settles(step) { SETTLE_TRIES } else { 0 } {
            if differences.is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
            differences = ask(step, server, &mut names, known);
        }
        let failed = differences.iter().any(|d| d.kind == FAILED);
        if !differences.is_empty() && !failed && known.excuses(&transcript, &step.key()) {
            continue;
        }
        found.extend(differences.into_iter().map(|difference| Found {
            place: format!("tests/api/transcripts/{transcript}.http:{}", step.line),
            request: format!("{} (as {})\n    {}", step.title, step.user(), names.fill(&step.key())),
            difference,
        }));
    }
    found
}

/// How often a question about what settles is asked, ten times a second.
const SETTLE_TRIES: u32 = 100;

/// Whether the answer depends on what the notifier does after another answer: giving networks and routers to agents.
fn settles(step: &Step) -> bool {
    step.method == "GET" && (step.path.contains("/l3-agents") || step.path.contains("/dhcp-agents"))
}

fn ask(step: &Step, server: &Server, names: &mut Names, known: &Differences) -> Vec<Difference> {
    if step.method == "AGENT" {
        server.report(&step.body);
        return Vec::new();
    }
    let answer = http::ask(
        server.address,
        &step.method,
        &names.fill(&step.path),
        &step.headers,
        &names.fill(&step.body),
    );
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    if let Some(body) = &body {
        names.note(body);
        if answer.status < 300 {
            for (name, resource) in step.names.iter().zip(inner(body)) {
                names.learn(name, resource);
            }
        }
    }
    if answer.status >= 500 && answer.status != 501 && std::env::var_os("TRANSCRIPT_SERVER").is_none() {
        return vec![Difference { kind: FAILED.into(), text: format!("ours failed: {}", answer.body) }];
    }
    // The reference's own failures are no specification; what led to them is the client's mistake.
    if step.status >= 500 {
        let text = format!("ours {}, theirs {}: {}", answer.status, step.status, answer.body);
        let itself = std::env::var_os("TRANSCRIPT_SERVER").is_some() && answer.status == step.status;
        let fine = itself || (400..500).contains(&answer.status);
        return if fine { vec![] } else { vec![Difference { kind: "reference failed".into(), text }] };
    }
    let mut found = Vec::new();
    if answer.status != step.status {
        let kind = format!("status {} instead of {}", answer.status, step.status);
        let theirs = step.answer.split_whitespace().collect::<Vec<_>>().join(" ");
        let text =
            format!("{kind}\n      ours   {}\n      theirs {theirs}", names.hide_text(&answer.body, ""));
        return vec![Difference { kind, text }];
    }
    for (name, theirs) in &step.answer_headers {
        let ours = answer.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
        let ours = ours.map(|v| names.hide_text(v, ""));
        if ours.as_deref() != Some(theirs) {
            let text = format!("header {name}: ours {ours:?}, theirs {theirs:?}");
            found.push(Difference { kind: format!("header {name}"), text });
        }
    }
    match (body, serde_json::from_str::<Value>(&step.answer)) {
        (Some(ours), Ok(theirs)) => {
            let ordered = step.path.contains("sort_key=") || step.path.contains("limit=");
            found.extend(compare::json(&names.hide(&ours, ""), &theirs, ordered, known));
        }
        _ => {
            let ours = names.hide_text(answer.body.trim_end(), "");
            if ours != step.answer {
                let text = format!("body:\n      ours   {ours}\n      theirs {}", step.answer);
                found.push(Difference { kind: "text".into(), text });
            }
        }
    }
    found
}

/// The resources inside an answer: of one, of a list, or of a bare object (router actions).
fn inner(body: &Value) -> Vec<&Value> {
    match body.as_object().filter(|o| o.len() == 1).and_then(|o| o.values().next()) {
        Some(one @ Value::Object(_)) => vec![one],
        Some(Value::Array(many)) => many.iter().collect(),
        _ => vec![body],
    }
}

fn report(found: &[Found]) -> String {
    let mut out = String::new();
    if std::env::var_os("TRANSCRIPT_SUMMARY").is_some() {
        let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for f in found {
            kinds.entry(&f.difference.kind).or_default().push(&f.place);
        }
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_by_key(|(_, places)| std::cmp::Reverse(places.len()));
        for (kind, places) in kinds {
            out += &format!("{:5} {kind}   e.g. {}\n", places.len(), places[0]);
        }
    } else {
        for f in found {
            out += &format!("{}\n  {}\n    {}\n", f.place, f.request, f.difference.text);
        }
    }
    out + &format!("{} differences\n", found.len())
}

#[test]
fn answers_are_those_of_the_reference() {
    let known = std::fs::read_to_string(root().join("docs/differences.md")).expect("docs/differences.md");
    let known = Differences::parse(&known);
    let chosen = std::env::var("TRANSCRIPT").ok();
    let folder = std::fs::read_dir(root().join("tests/api/transcripts")).expect("the transcripts");
    let mut files: Vec<_> = folder.map(|e| e.expect("an entry").path()).collect();
    files.retain(|f| {
        chosen.as_ref().is_none_or(|name| f.file_stem().is_some_and(|stem| stem == name.as_str()))
    });
    files.sort();
    assert!(!files.is_empty(), "no transcript");
    let mut found = Vec::new();
    for file in &files {
        let server = Server::start();
        found.extend(play(file, &server, &known));
    }
    assert!(found.is_empty(), "\n{}", report(&found));
    if chosen.is_none() {
        assert!(known.unused().is_empty(), "docs/differences.md: not needed any more: {:#?}", known.unused());
    }
}
