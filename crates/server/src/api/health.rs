//! `/healthcheck`: whether this server should be sent requests, as oslo.middleware answers it. It asks nobody
//! who asks and touches no database: a balancer asks it every second.

use crate::api::answer::{Content, Reply};
use std::path::Path;

/// Where it is asked for.
pub const PATH: &str = "/healthcheck";

oslo::options! {
    /// What `/healthcheck` looks at.
    pub struct Options in "healthcheck" {
        /// What it looks at: disable_by_file, disable_by_files_ports, enable_by_files.
        backends: Vec<String> = vec!["disable_by_file".into()];
        /// While this file is there the server says that it wants no requests.
        disable_by_file_path: Option<String> = Some("$state_path/healthcheck_disable".into());
        /// The same for one port of the API: port:path, many of them.
        disable_by_file_paths: Vec<String> = Vec::new();
        /// Files without which the server wants no requests.
        enable_by_file_paths: Vec<String> = Vec::new();
        /// Say which file was looked at.
        detailed: bool = false;
    }
}

/// What one backend found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    available: bool,
    reason: &'static str,
    details: String,
}

impl Finding {
    fn fine(details: String) -> Finding {
        Finding { available: true, reason: "OK", details }
    }
    fn disabled(details: String) -> Finding {
        Finding { available: false, reason: "DISABLED BY FILE", details }
    }
}

/// The answer of the server that listens on `port`. `accept` is the header of that name.
pub fn answer(options: &Options, method: &str, accept: Option<&str>, port: u16) -> Reply {
    let findings = findings(options, port, &|path| Path::new(path).exists());
    let healthy = findings.iter().all(|finding| finding.available);
    if method == "HEAD" {
        return Reply::empty(if healthy { 204 } else { 503 });
    }
    let status = if healthy { 200 } else { 503 };
    let body = match preferred(accept.unwrap_or("*/*")) {
        "text/html" => Content::Html(html(options, &findings)),
        "application/json" => Content::Json(json(options, &findings).into_bytes()),
        _ => Content::Plain(findings.iter().map(|f| f.reason).collect::<Vec<_>>().join("\n")),
    };
    Reply { status, body, challenge: None }
}

fn findings(options: &Options, port: u16, is_there: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let mut names = options.backends.clone();
    names.sort();
    names.iter().filter_map(|name| finding(options, name, port, is_there)).collect()
}

fn finding(options: &Options, backend: &str, port: u16, is_there: &dyn Fn(&str) -> bool) -> Option<Finding> {
    Some(match backend {
        "disable_by_file" => match options.disable_by_file_path.as_deref() {
            None | Some("") => {
                Finding::fine("No 'disable_by_file_path' configuration value specified".into())
            }
            Some(path) if is_there(path) => Finding::disabled(format!("Path '{path}' was found")),
            Some(path) => Finding::fine(format!("Path '{path}' was not found")),
        },
        "disable_by_files_ports" => {
            let of_port = |entry: &&String| {
                entry
                    .split_once(':')
                    .is_some_and(|(of, path)| of.trim().parse() == Ok(port) && is_there(path))
            };
            match options.disable_by_file_paths.iter().find(of_port) {
                Some(_) => Finding::disabled(String::new()),
                None => Finding::fine(String::new()),
            }
        }
        "enable_by_files" => match options.enable_by_file_paths.iter().find(|path| !is_there(path)) {
            Some(path) => Finding {
                available: false,
                reason: "FILE PATH MISSING",
                details: format!("File path {path} is missing"),
            },
            None => Finding::fine("Specified file paths are available".into()),
        },
        _ => return None,
    })
}

/// Which of the three forms a client likes best; the first of equals. A client who takes none gets plain text.
fn preferred(accept: &str) -> &'static str {
    const FORMS: [&str; 3] = ["text/plain", "text/html", "application/json"];
    let quality = |form: &str| {
        let fits = |range: &str| {
            range == form
                || range == "*/*"
                || range.strip_suffix("/*").is_some_and(|major| form.starts_with(major))
        };
        let ranges = accept.split(',').map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_lowercase();
            let q = parts.find_map(|p| p.strip_prefix("q=")).and_then(|q| q.parse::<f64>().ok());
            (kind, q.unwrap_or(1.0))
        });
        // The most exact range that fits decides.
        let fitting = ranges.filter(|(kind, _)| fits(kind));
        fitting.max_by_key(|(kind, _)| (!kind.contains('*'), kind.len())).map_or(0.0, |(_, q)| q)
    };
    let mut best = ("text/plain", 0.0);
    for form in FORMS {
        if quality(form) > best.1 {
            best = (form, quality(form));
        }
    }
    best.0
}

fn json(options: &Options, findings: &[Finding]) -> String {
    let reason = |finding: &Finding| match options.detailed {
        false => format!("        \"{}\"", finding.reason),
        true => format!(
            "        {{\n            \"class\": \"HealthcheckResult\",\n            \"details\": {},\n            \
             \"reason\": \"{}\"\n        }}",
            serde_json::Value::from(finding.details.as_str()),
            finding.reason
        ),
    };
    let reasons: Vec<String> = findings.iter().map(reason).collect();
    let reasons =
        if reasons.is_empty() { "[]".to_string() } else { format!("[\n{}\n    ]", reasons.join(",\n")) };
    format!("{{\n    \"detailed\": {},\n    \"reasons\": {reasons}\n}}", options.detailed)
}

fn html(options: &Options, findings: &[Finding]) -> String {
    let detailed = options.detailed;
    let heads = if detailed {
        "<TH>\nKind\n</TH>\n<TH>\nReason\n</TH>\n<TH>\nDetails\n</TH>\n\n"
    } else {
        "\n<TH>\nReason\n</TH>\n"
    };
    let row = |finding: &Finding| match detailed {
        false => format!("<TR>\n\n    <TD>{}</TD>\n\n</TR>\n", finding.reason),
        true => format!(
            "<TR>\n<TD>HealthcheckResult</TD>\n    <TD>{}</TD>\n<TD>{}</TD>\n</TR>\n",
            finding.reason,
            escaped(&finding.details)
        ),
    };
    let rows: String = findings.iter().map(row).collect();
    format!(
        "<HTML>\n<HEAD><TITLE>Healthcheck Status</TITLE></HEAD>\n<BODY>\n\n<H2>Result of {} checks:</H2>\n\
         <TABLE bgcolor=\"#ffffff\" border=\"1\">\n<TBODY>\n<TR>\n{heads}</TR>\n{rows}</TBODY>\n</TABLE>\n<HR></HR>\n\n\
         </BODY>\n</HTML>",
        findings.len()
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_follow_the_accept_header() {
        for (accept, form) in [
            ("*/*", "text/plain"),
            ("text/html", "text/html"),
            ("text/html;q=0.5, application/json", "application/json"),
            ("image/png", "text/plain"),
            ("text/*;q=0.3, application/json;q=0.2", "text/plain"),
        ] {
            assert_eq!(preferred(accept), form, "{accept}");
        }
    }

    #[test]
    fn files_switch_it() {
        let options = |backends: &str| Options {
            backends: backends.split(',').map(str::to_string).collect(),
            disable_by_file_path: Some("/off".into()),
            disable_by_file_paths: vec!["9696:/off-9696".into(), "1:/off-1".into()],
            enable_by_file_paths: vec!["/on".into()],
            detailed: false,
        };
        let said = |backends: &str, there: &[&str]| {
            let findings = findings(&options(backends), 9696, &|path| there.contains(&path));
            findings.iter().map(|f| f.reason).collect::<Vec<_>>().join(",")
        };
        for (backends, there, expected) in [
            ("disable_by_file", &[][..], "OK"),
            ("disable_by_file", &["/off"], "DISABLED BY FILE"),
            ("disable_by_files_ports", &["/off-1"], "OK"),
            ("disable_by_files_ports", &["/off-9696"], "DISABLED BY FILE"),
            ("enable_by_files", &[], "FILE PATH MISSING"),
            ("enable_by_files,disable_by_file", &["/on"], "OK,OK"),
            ("nothing", &[], ""),
        ] {
            assert_eq!(said(backends, there), expected, "{backends} {there:?}");
        }
    }

    /// Bodies as oslo.middleware 8 wrote them.
    #[test]
    fn bodies_are_those_of_oslo_middleware() {
        let options = Options { disable_by_file_path: Some("/nonexist".into()), ..Options::default() };
        let found = findings(&options, 1, &|_| false);
        assert_eq!(
            json(&options, &found),
            "{\n    \"detailed\": false,\n    \"reasons\": [\n        \"OK\"\n    ]\n}"
        );
        assert_eq!(
            html(&options, &found),
            "<HTML>\n<HEAD><TITLE>Healthcheck Status</TITLE></HEAD>\n<BODY>\n\n<H2>Result of 1 checks:</H2>\n\
             <TABLE bgcolor=\"#ffffff\" border=\"1\">\n<TBODY>\n<TR>\n\n<TH>\nReason\n</TH>\n</TR>\n<TR>\n\n    \
             <TD>OK</TD>\n\n</TR>\n</TBODY>\n</TABLE>\n<HR></HR>\n\n</BODY>\n</HTML>"
        );
        let detailed = Options { detailed: true, ..options };
        assert!(html(&detailed, &found).contains("<TD>Path &#39;/nonexist&#39; was not found</TD>"));
    }
}
