//! Cases: what Python writes is read, what is written is what Python reads.

use super::*;
use serde_json::json;

fn outer(message: &Value) -> Vec<u8> {
    json!({"oslo.version": "2.0", "oslo.message": message.to_string()}).to_string().into_bytes()
}

/// The message in an envelope, which has two keys and no more.
fn inner(body: &[u8]) -> Value {
    let envelope: Map<String, Value> = serde_json::from_slice(body).unwrap();
    assert_eq!(envelope.keys().collect::<Vec<_>>(), ["oslo.version", "oslo.message"]);
    assert_eq!(envelope["oslo.version"], "2.0");
    serde_json::from_str(envelope["oslo.message"].as_str().unwrap()).unwrap()
}

#[test]
fn a_request_survives_the_way() {
    let args = json!({"name": "a \"quoted\" \\ line\n\u{0} ü 网", "list": [1, null, {"x": 1.5}]});
    let context = json!({"request_id": "req-1", "roles": ["admin"]});
    for (reply_to, namespace) in [(None, None), (Some(("m1", "reply_q1")), Some("trunk"))] {
        let leaving = Leaving {
            method: "echo",
            version: "1.4",
            namespace,
            args: &args,
            context: &context,
            unique_id: "u1",
            reply_to,
        };
        let read = read_request(&request(&leaving)).unwrap();
        assert_eq!(Value::Object(read.request.args), args);
        assert_eq!(read.request.context, context);
        assert_eq!((read.request.method.as_str(), read.request.version.as_str()), ("echo", "1.4"));
        assert_eq!(read.request.namespace.as_deref(), namespace);
        assert_eq!(read.unique_id.as_deref(), Some("u1"));
        let address = reply_to.map(|(msg_id, queue)| Address {
            msg_id: msg_id.into(),
            queue: queue.into(),
            parts: Parts::One,
            heartbeat: None,
        });
        assert_eq!(read.address, address);
    }
}

#[test]
fn reads_requests_of_every_age() {
    let read = |message: Value| read_request(&outer(&message)).unwrap();
    let juno = read(
        json!({"method": "tunnel_sync", "args": {"tunnel_ip": "10.0.1.31"}, "_msg_id": "m", "_reply_q": "reply_x",
        "_unique_id": "u", "_context_tenant_id": null}),
    );
    assert_eq!(juno.request.version, "1.0");
    assert_eq!(juno.address.unwrap().parts, Parts::Two);
    let watched = read(json!({"method": "m", "args": {}, "_msg_id": "m", "_reply_q": "r", "_timeout": 6}));
    assert_eq!(watched.address.unwrap().heartbeat, Some(Duration::from_secs(2)));
    let bare =
        read_request(br#"{"method": "m", "args": null, "namespace": null, "surplus": {"a": []}}"#).unwrap();
    assert_eq!(bare.request.method, "m");
    assert_eq!(bare.address, None);
}

#[test]
fn refuses_what_is_none() {
    for (body, expected) in [
        ("[]", "it is no JSON object"),
        ("{", "it is no JSON object"),
        (r#"{"oslo.version": "3.0", "oslo.message": "{}"}"#, "its envelope is of version 3.0"),
        (r#"{"oslo.version": "2.0", "oslo.message": "{}"}"#, "it is no request: missing field `method`"),
        (r#"{"oslo.version": "2.0", "oslo.message": "[1]"}"#, "it is no request"),
    ] {
        let said = read_request(body.as_bytes()).unwrap_err();
        assert!(said.starts_with(expected), "{body}: {said}");
    }
}

#[test]
fn answers_in_as_many_parts_as_the_caller_needs() {
    let address = |parts| Address { msg_id: "m".into(), queue: "q".into(), parts, heartbeat: None };
    let bodies = |parts, answer: Result<Value, Failure>| {
        let mut n = 0;
        let unique = || {
            n += 1;
            format!("u{n}")
        };
        reply(&address(parts), &answer, unique).iter().map(|b| inner(b)).collect::<Vec<_>>()
    };
    let one = json!({"result": 7, "failure": null, "ending": true, "_msg_id": "m", "_unique_id": "u1"});
    assert_eq!(bodies(Parts::One, Ok(json!(7))), [one]);
    let first = json!({"result": 7, "failure": null, "_msg_id": "m", "_unique_id": "u1"});
    let last = json!({"result": null, "failure": null, "ending": true, "_msg_id": "m", "_unique_id": "u2"});
    assert_eq!(bodies(Parts::Two, Ok(json!(7))), [first, last]);
    let refused = bodies(Parts::One, Err(Failure::no_such_method("x")));
    let failure: Value = serde_json::from_str(refused[0]["failure"].as_str().unwrap()).unwrap();
    let expected = json!({"class": "NoSuchMethod", "module": "oslo_messaging.rpc.dispatcher",
        "message": "Endpoint does not support RPC method x", "tb": [],
        "args": ["Endpoint does not support RPC method x"], "kwargs": {}});
    assert_eq!(failure, expected);
    assert_eq!(inner(&heartbeat(&address(Parts::One), "u"))["ending"], false);
}

#[test]
fn takes_answers_in_every_form() {
    let failure = json!({"class": "NetworkNotFound", "module": "neutron_lib.exceptions", "message": "gone",
        "tb": ["Traceback …"], "args": [], "kwargs": {"net_id": "n"}});
    let kwargs = json!({"net_id": "n"}).as_object().cloned().unwrap();
    for (part, expected) in [
        (json!({"result": 1, "failure": null, "ending": true}), Some(Ok(json!(1)))),
        (json!({"result": null, "failure": null, "ending": true}), Some(Ok(Value::Null))),
        (json!({"result": false, "failure": null}), Some(Ok(json!(false)))),
        (json!({"result": null, "failure": null}), None),
        (json!({"result": null, "failure": null, "ending": false}), None),
        (
            json!({"result": null, "failure": failure.to_string(), "ending": true}),
            Some(Err(Failure::neutron("NetworkNotFound", "gone", kwargs.clone()))),
        ),
        (
            json!({"result": null, "failure": failure}),
            Some(Err(Failure::neutron("NetworkNotFound", "gone", kwargs))),
        ),
    ] {
        assert_eq!(read_part(&outer(&part)).unwrap().settles(), expected, "{part}");
    }
}

/// Casts of Neutron 29.0.0 with oslo.messaging 18.3.1, read off a RabbitMQ 3.10 by its firehose tracer while
/// networks, ports and routers were created: exchange, routing key, properties, and the message in the envelope.
#[test]
fn writes_and_reads_what_neutron_29_wrote() {
    let casts: Vec<Value> = serde_json::from_str(include_str!("casts-neutron29.json")).unwrap();
    assert!(!casts.is_empty());
    for cast in &casts {
        let message = cast["message"].as_object().unwrap();
        let read = read_request(&outer(&cast["message"])).unwrap();
        assert_eq!(Value::Object(read.request.args.clone()), message["args"]);
        assert_eq!(
            (read.request.method.as_str(), &read.address),
            (message["method"].as_str().unwrap(), &None)
        );
        let leaving = Leaving {
            method: &read.request.method,
            version: &read.request.version,
            namespace: None,
            args: &message["args"],
            context: &read.request.context,
            unique_id: read.unique_id.as_deref().unwrap(),
            reply_to: None,
        };
        assert_eq!(inner(&request(&leaving)), cast["message"]);
    }
}
