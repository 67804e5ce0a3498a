//! Which exchanges and queues there are, and how each is declared. Pure.
//!
//! Names, flags and arguments are oslo.messaging's (`_drivers/impl_rabbit.py`): whoever declares one of them
//! otherwise than it is gets an error from the broker instead of messages.

use crate::Target;
use crate::options::Shape;

/// How an exchange passes messages on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Topic,
    Fanout,
    Direct,
}

/// An exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
}

/// An argument of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    Text(&'static str),
    Number(u32),
}

/// A queue and what it hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
    pub(super) arguments: Vec<(&'static str, Argument)>,
    pub(super) exchange: Exchange,
    pub(super) key: String,
    /// Ours alone: it goes when we stop listening.
    pub(super) own: bool,
}

/// The exchange of requests.
pub(super) fn topic_exchange(shape: &Shape) -> Exchange {
    let (durable, auto_delete) = (shape.durable, shape.auto_delete);
    Exchange { name: shape.control_exchange.clone(), kind: Kind::Topic, durable, auto_delete }
}

/// The exchange of a topic's fanouts.
pub(super) fn fanout_exchange(shape: &Shape, topic: &str) -> Exchange {
    let durable = shape.transient_quorum;
    Exchange { name: format!("{topic}_fanout"), kind: Kind::Fanout, durable, auto_delete: true }
}

/// Where a request is published: the exchange and the routing key.
pub(super) fn route(shape: &Shape, target: &Target) -> (Exchange, String) {
    match &target.server {
        _ if target.fanout => (fanout_exchange(shape, &target.topic), String::new()),
        Some(server) => (topic_exchange(shape), format!("{}.{server}", target.topic)),
        None => (topic_exchange(shape), target.topic.clone()),
    }
}

/// What a server of a topic consumes: messages for any server, for this one, for all.
pub(super) fn seat(shape: &Shape, topic: &str, server: &str, fanout_queue: &str) -> [Queue; 3] {
    let named = |name: String| Queue {
        key: name.clone(),
        name,
        durable: shape.durable,
        auto_delete: shape.auto_delete,
        arguments: arguments(shape, shape.quorum, 0),
        exchange: topic_exchange(shape),
        own: false,
    };
    let fanout = Queue {
        name: fanout_queue.to_string(),
        durable: shape.transient_quorum,
        auto_delete: false,
        arguments: arguments(shape, shape.transient_quorum, shape.transient_ms),
        exchange: fanout_exchange(shape, topic),
        key: topic.to_string(),
        own: true,
    };
    [named(topic.to_string()), named(format!("{topic}.{server}")), fanout]
}

/// What answers come to. Servers up to Liberty answer to an exchange of the queue's name.
pub(super) fn replies(shape: &Shape, name: &str) -> Queue {
    Queue {
        name: name.to_string(),
        durable: shape.transient_quorum,
        auto_delete: false,
        arguments: arguments(shape, shape.transient_quorum, shape.transient_ms),
        exchange: Exchange { name: name.to_string(), kind: Kind::Direct, durable: false, auto_delete: true },
        key: name.to_string(),
        own: true,
    }
}

/// The same where a program with other options was first: oslo.messaging, too, gives way then.
pub(super) fn without_durable(queues: &[Queue]) -> Vec<Queue> {
    let give_way = |queue: &Queue| {
        let exchange = Exchange { durable: false, ..queue.exchange.clone() };
        Queue { durable: false, exchange, ..queue.clone() }
    };
    queues.iter().map(give_way).collect()
}

fn arguments(shape: &Shape, quorum: bool, life_ms: u32) -> Vec<(&'static str, Argument)> {
    let mut arguments = Vec::new();
    if shape.ha {
        arguments.push(("x-ha-policy", Argument::Text("all")));
    }
    if quorum {
        arguments.push(("x-queue-type", Argument::Text("quorum")));
        let limits = shape.quorum_limits.iter().filter(|(_, limit)| *limit > 0);
        arguments.extend(limits.map(|&(name, limit)| (name, Argument::Number(limit))));
    }
    if life_ms > 0 {
        arguments.push(("x-expires", Argument::Number(life_ms)));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Settings;
    use expect_test::expect;
    use oslo::config::Config;

    /// One line per queue: exchange, kind, flags → queue, flags, arguments, key.
    fn shown(options: &str) -> String {
        let text = format!("[DEFAULT]\ntransport_url = rabbit://h/?{options}\n");
        let shape = Settings::load(&Config::parse("neutron.conf", &text)).unwrap().shape;
        let flags = |durable, auto_delete| match (durable, auto_delete) {
            (false, false) => "-",
            (true, false) => "D",
            (false, true) => "AD",
            (true, true) => "D AD",
        };
        let mut queues = seat(&shape, "q-plugin", "net1", "q-plugin_fanout_1").to_vec();
        queues.push(replies(&shape, "reply_1"));
        let line = |q: &Queue| {
            let exchange = flags(q.exchange.durable, q.exchange.auto_delete);
            let (kind, name) = (q.exchange.kind, &q.exchange.name);
            let queue = flags(q.durable, q.auto_delete);
            format!("{name} {kind:?} [{exchange}] -> {} [{queue}] {:?} by {}\n", q.name, q.arguments, q.key)
        };
        queues.iter().map(line).collect()
    }

    #[test]
    fn declares_as_oslo_messaging_does() {
        expect![[r#"
            neutron Topic [-] -> q-plugin [-] [] by q-plugin
            neutron Topic [-] -> q-plugin.net1 [-] [] by q-plugin.net1
            q-plugin_fanout Fanout [AD] -> q-plugin_fanout_1 [-] [("x-expires", Number(1800000))] by q-plugin
            reply_1 Direct [AD] -> reply_1 [-] [("x-expires", Number(1800000))] by reply_1
        "#]]
        .assert_eq(&shown(""));
        expect![[r#"
            neutron Topic [D AD] -> q-plugin [D AD] [("x-ha-policy", Text("all"))] by q-plugin
            neutron Topic [D AD] -> q-plugin.net1 [D AD] [("x-ha-policy", Text("all"))] by q-plugin.net1
            q-plugin_fanout Fanout [AD] -> q-plugin_fanout_1 [-] [("x-ha-policy", Text("all"))] by q-plugin
            reply_1 Direct [AD] -> reply_1 [-] [("x-ha-policy", Text("all"))] by reply_1
        "#]]
        .assert_eq(&shown(
            "amqp_durable_queues=1&amqp_auto_delete=1&rabbit_ha_queues=1&rabbit_transient_queues_ttl=0",
        ));
        expect![[r#"
            neutron Topic [D] -> q-plugin [D] [("x-queue-type", Text("quorum")), ("x-delivery-limit", Number(3))] by q-plugin
            neutron Topic [D] -> q-plugin.net1 [D] [("x-queue-type", Text("quorum")), ("x-delivery-limit", Number(3))] by q-plugin.net1
            q-plugin_fanout Fanout [D AD] -> q-plugin_fanout_1 [D] [("x-queue-type", Text("quorum")), ("x-delivery-limit", Number(3)), ("x-expires", Number(1800000))] by q-plugin
            reply_1 Direct [AD] -> reply_1 [D] [("x-queue-type", Text("quorum")), ("x-delivery-limit", Number(3)), ("x-expires", Number(1800000))] by reply_1
        "#]]
        .assert_eq(&shown("rabbit_quorum_queue=1&rabbit_transient_quorum_queue=1&rabbit_quorum_delivery_limit=3"));
    }

    #[test]
    fn publishes_where_servers_listen() {
        let text = "[DEFAULT]\ntransport_url = rabbit://h/\n";
        let shape = Settings::load(&Config::parse("neutron.conf", text)).unwrap().shape;
        let way = |target: Target| {
            let (exchange, key) = route(&shape, &target);
            (exchange.name, key)
        };
        assert_eq!(way(Target::topic("l3_agent")), ("neutron".into(), "l3_agent".into()));
        assert_eq!(way(Target::server("l3_agent", "net1")), ("neutron".into(), "l3_agent.net1".into()));
        assert_eq!(way(Target::fanout("l3_agent")), ("l3_agent_fanout".into(), String::new()));
    }
}
