//! The same messages with Python's oslo.messaging on the other side: `peer.py`, run by the Python that
//! `make services` installs for Keystone, which brings oslo.messaging with it.

use crate::world::{Ear, ask, name, patient, process, tell, up, url};
use rpc::{Error, Target};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

struct Peer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(role: &str, exchange: &str, topic: &str) -> Peer {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let venv = std::env::var_os("LAB_KEYSTONE_VENV").map(PathBuf::from);
        let python = venv.unwrap_or_else(|| here.join("../../.tools/keystone")).join("bin/python");
        let url = url().replacen("amqp://", "rabbit://", 1);
        let mut child = Command::new(&python)
            .arg(here.join("tests/it/peer.py"))
            .args([role, &url, exchange, topic])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}; `make services` installs it", python.display()));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Peer { child, lines }
    }

    /// The next line that it says.
    async fn says(&mut self) -> Value {
        let line = patient(self.lines.next_line()).await.unwrap().expect("Python ended");
        serde_json::from_str(&line).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_serves() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let mut peer = Peer::start("serve", &exchange, &topic);
    assert_eq!(peer.says().await, json!(["ready"]));
    let ours = process(&url(), &exchange, "");
    let (client, any) = (ours.client(), Target::topic(&topic));
    let text = "ü \"quoted\" \\ 网\n\u{0}";
    let args = json!({"text": text, "list": [1, null, {"x": 1.5}]});
    let answer = ask(&client, &any, "echo", args.clone()).await;
    assert_eq!(answer, Ok(json!({"from": "python", "args": args})));
    assert_eq!(peer.says().await, json!(["echo", args, "req-1"]));
    assert_eq!(ask(&client, &Target::server(&topic, "python"), "nothing", json!({})).await, Ok(Value::Null));
    let failure = |answer: Result<Value, Error>| match answer {
        Err(Error::Remote(failure)) => failure,
        other => panic!("{other:?}"),
    };
    let refused = failure(ask(&client, &any, "refuse", json!({"net_id": "n1"})).await);
    assert_eq!((refused.class.as_str(), refused.message.as_str()), ("Refused", "refused n1"));
    assert_eq!(refused.kwargs["net_id"], "n1");
    let failed = failure(ask(&client, &any, "fail", json!({})).await);
    assert_eq!((failed.class.as_str(), failed.module.as_str()), ("KeyError", "builtins"));
    assert_eq!(failure(ask(&client, &any, "shout", json!({})).await).class, "NoSuchMethod");
    let newer = client.call(&json!({}), &any, "echo", "1.5", json!({})).await;
    assert_eq!(failure(newer).class, "UnsupportedVersion");
    for (n, target) in [any, Target::server(&topic, "python"), Target::fanout(&topic)].iter().enumerate() {
        tell(&client, target, "echo", json!({"n": n})).await;
        assert_eq!(peer.says().await, json!(["echo", {"n": n}, null]));
    }
    drop(peer.child.stdin.take());
    assert!(patient(peer.child.wait()).await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn python_asks() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let ours = process(&url(), &exchange, "");
    let ear = Ear::new("rust");
    let _seat = ours.listen(&topic, "rust", vec![ear.clone()]);
    up(&ours).await;
    let mut peer = Peer::start("ask", &exchange, &topic);
    let args = json!({"text": "ü \"quoted\" \\ 网\n", "n": [1, null, {"x": 1.5}]});
    let echoed = json!({"from": "rust", "args": args, "request_id": "req-python"});
    for expected in [
        json!(["echo", echoed]),
        json!(["nothing", null]),
        json!(["refuse", "RemoteError", "NetworkNotFound", "Network n1 could not be found."]),
        json!(["value_error", "ValueError", "odd\n"]),
        json!(["shout", "RemoteError", "NoSuchMethod", "Endpoint does not support RPC method shout"]),
        json!([
            "echo",
            "RemoteError",
            "UnsupportedVersion",
            "Endpoint does not support RPC version 1.9. Attempted method: echo"
        ]),
        json!(["nothing", null]),
        json!(["slow", "slept"]),
    ] {
        assert_eq!(peer.says().await, expected);
    }
    patient(async {
        while ear.numbers().len() < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(ear.numbers(), [1, 2, 3]);
    assert!(patient(peer.child.wait()).await.unwrap().success());
}
