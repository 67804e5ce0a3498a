//! Cases: files of every age, and what they come to.

use super::*;

fn load(text: &str) -> Result<Settings, String> {
    Settings::load(&Config::parse("neutron.conf", text)).map_err(|p| p.to_string())
}

fn places(text: &str) -> String {
    match load(text) {
        Ok(settings) => {
            let brokers: Vec<_> =
                settings.brokers.iter().map(|b| format!("{}:{}@{}", b.user, b.password, b.place())).collect();
            format!("{} {} tls={}", brokers.join(","), settings.virtual_host, settings.tls.is_some())
        }
        Err(what) => what,
    }
}

#[test]
fn finds_the_broker_in_files_of_every_age() {
    for (text, expected) in [
        ("[DEFAULT]\ntransport_url = rabbit://a:b@c1,a:b@c2/v\n", "a:b@c1:5672,a:b@c2:5672 v tls=false"),
        // Liberty
        (
            "[DEFAULT]\nrpc_backend = rabbit\n[oslo_messaging_rabbit]\nrabbit_host = controller\nrabbit_userid = openstack\nrabbit_password = RABBIT_PASS\n",
            "openstack:RABBIT_PASS@controller:5672 / tls=false",
        ),
        // Juno
        (
            "[DEFAULT]\nrpc_backend = neutron.openstack.common.rpc.impl_kombu\nrabbit_hosts = c1:5673, c2\nrabbit_password = x\nrabbit_virtual_host = /n\nrabbit_use_ssl = True\n",
            "guest:x@c1:5673,guest:x@c2:5672 /n tls=true",
        ),
        ("[DEFAULT]\nrabbit_host = fd00::1\n", "guest:guest@[fd00::1]:5672 / tls=false"),
        ("[DEFAULT]\nrpc_backend = rabbit\n", "guest:guest@localhost:5672 / tls=false"),
        (
            "[DEFAULT]\nverbose = True\n",
            "configuration: [DEFAULT] transport_url: it is missing: server and agents meet at a RabbitMQ broker; write transport_url = rabbit://user:password@host:5672/ into the section [DEFAULT] of neutron.conf",
        ),
        (
            "[DEFAULT]\nrpc_backend = zmq\n",
            "neutron.conf:2: [DEFAULT] rpc_backend: messages travel by RabbitMQ only; write transport_url = rabbit://user:password@host:5672/",
        ),
        (
            "[DEFAULT]\n\ntransport_url = kafka://h/\n",
            "neutron.conf:3: [DEFAULT] transport_url: messages travel by RabbitMQ only: write rabbit://, not kafka://",
        ),
        (
            "[DEFAULT]\ntransport_url = rabbit://h/\n[oslo_messaging_rabbit]\nrabbit_stream_fanout = true\n",
            "neutron.conf:4: [oslo_messaging_rabbit] rabbit_stream_fanout: stream queues are not spoken here; set it to false in every process of the cloud",
        ),
        (
            "[DEFAULT]\ntransport_url = rabbit://h/?rabbit_ha_queues=1&rabbit_quorum_queue=1\n",
            "transport_url: [oslo_messaging_rabbit] rabbit_ha_queues: a queue is either mirrored or a quorum queue; set rabbit_ha_queues = false",
        ),
    ] {
        assert_eq!(places(text), expected, "{text}");
    }
}

#[test]
fn the_url_goes_before_the_files() {
    let settings = load(
        "[DEFAULT]\ntransport_url = rabbit://h/?rabbit_quorum_queue=true&heartbeat_timeout_threshold=20\n\
         [oslo_messaging_rabbit]\nheartbeat_timeout_threshold = 90\nrabbit_transient_queues_ttl = 60\n",
    )
    .unwrap();
    assert!(settings.shape.quorum && settings.shape.durable && !settings.shape.transient_quorum);
    assert_eq!((settings.heartbeat_s, settings.shape.transient_ms), (10, 60_000));
}

#[test]
fn waits_longer_up_to_a_limit() {
    let retry = load("[DEFAULT]\ntransport_url = rabbit://h/\n").unwrap().retry;
    let waits: Vec<u128> = (0..5).map(|n| retry.wait(n, 0.0).as_millis()).collect();
    assert_eq!(waits, [1000, 3000, 5000, 5000, 5000]);
    assert_eq!(retry.wait(4, 1.0).as_millis(), 3750);
}
