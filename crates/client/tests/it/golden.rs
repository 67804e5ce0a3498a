//! Every recorded case, replayed. `tests/golden/record.py` makes the recordings.

use std::collections::HashMap;
use std::fmt::Write as _;

use client::{Outcome, Surroundings};
use serde_json::Value;

use crate::stub::Stub;

const GROUPS: [(&str, &str); 7] = [
    ("net", include_str!("../golden/net.json")),
    ("subnet", include_str!("../golden/subnet.json")),
    ("port", include_str!("../golden/port.json")),
    ("router", include_str!("../golden/router.json")),
    ("security_group", include_str!("../golden/security_group.json")),
    ("agent", include_str!("../golden/agent.json")),
    ("misc", include_str!("../golden/misc.json")),
];

fn replay(case: &Value) -> (Outcome, Vec<(String, Option<Value>)>) {
    let stub = Stub::start(case["exchanges"].as_array().unwrap().clone());
    let set = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let env = set(&[
        ("OS_AUTH_URL", &format!("{}/v3", stub.url)),
        ("OS_USERNAME", if case["admin"] == true { "admin" } else { "demo" }),
        ("OS_PASSWORD", "x"),
        ("OS_PROJECT_NAME", "demo"),
    ]);
    let words: Vec<String> =
        case["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect();
    let outcome = client::run(&words, &Surroundings { env: &env, terminal: None });
    let asked =
        stub.asked.lock().unwrap().iter().map(|asked| (asked.request.clone(), asked.body.clone())).collect();
    (outcome, asked)
}

fn lines(value: &Value) -> String {
    let lines: Vec<&str> = value.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    lines.join("\n")
}

fn differences(case: &Value) -> String {
    let (outcome, asked) = replay(case);
    let mut wrong = String::new();
    let mut compare = |what: &str, expected: &str, got: &str| {
        if expected != got {
            writeln!(wrong, "-- {what} expected:\n{expected}\n-- {what} got:\n{got}").unwrap();
        }
    };
    compare("output", &lines(&case["out"]), &outcome.out);
    compare("errors", &lines(&case["err"]), outcome.err.trim_end_matches('\n'));
    compare("exit code", &case["code"].to_string(), &outcome.code.to_string());
    let expected: Vec<(String, Option<Value>)> = case["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|exchange| (exchange["request"].as_str().unwrap().to_owned(), exchange.get("body").cloned()))
        .collect();
    // The order of ids in a query does not matter, and the old client asks in the order of a set.
    let normal = |requests: Vec<(String, Option<Value>)>| -> Vec<(String, Option<Value>)> {
        requests.into_iter().map(|(request, body)| (sorted_query(&request), body)).collect()
    };
    let (mut expected, got) = (normal(expected), normal(asked));
    // Networks without subnets: the old client asks for all subnets there are and uses none; ours does not ask.
    expected.retain(|(request, _)| request != "GET /v2.0/subnets?fields=cidr&fields=id");
    if expected != got {
        writeln!(wrong, "-- requests expected:\n{expected:#?}\n-- requests got:\n{got:#?}").unwrap();
    }
    wrong
}

fn sorted_query(request: &str) -> String {
    let Some((path, query)) = request.split_once('?') else { return request.to_owned() };
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    format!("{path}?{}", pairs.join("&"))
}

#[test]
fn answers_and_asks_as_python_does() {
    let mut wrong = String::new();
    let mut failed = 0;
    let mut all = 0;
    for (group, text) in GROUPS {
        let cases: Vec<Value> = serde_json::from_str(text).unwrap();
        for case in cases {
            all += 1;
            let differences = differences(&case);
            if !differences.is_empty() {
                failed += 1;
                writeln!(wrong, "==== {group}: neutron {}\n{differences}", case["args"]).unwrap();
            }
        }
    }
    assert!(all > 200, "only {all} cases");
    assert!(wrong.is_empty(), "{failed} of {all} cases differ:\n{wrong}");
}
