//! The machines that a guide describes: their cards and addresses, and who may do what around them.

use crate::cloud::{CONTROLLER, GATEWAY};
use crate::services::People;

/// A machine.
#[derive(Debug)]
pub struct Machine {
    /// Its name.
    pub name: &'static str,
    /// Its address on the network of the machines, in a network of 24 bits.
    pub address: &'static str,
    /// Its address for tunnels, where these have a card of their own: it is on a bridge of Open vSwitch.
    pub tunnels: Option<&'static str>,
    /// Its card on the external network, where that has one of its own.
    pub external: Option<&'static str>,
}

/// Machines and what is around them.
#[derive(Debug)]
pub struct Shape {
    /// The card of every machine.
    pub card: &'static str,
    /// The machines; the controller comes first.
    pub machines: &'static [Machine],
    /// The address of the host outside, on the external network.
    pub outside: &'static str,
    /// RabbitMQ's user and password.
    pub rabbitmq: (&'static str, &'static str),
    /// Where Nova's API is.
    pub nova: &'static str,
    /// Who is in Keystone.
    pub people: People,
    /// The region that users' commands ask for.
    pub region: Option<&'static str>,
}

/// The Liberty guide's: one network for all.
pub static LIBERTY: Shape = Shape {
    card: "eno1",
    machines: &[
        Machine { name: CONTROLLER, address: "192.168.81.66", tunnels: None, external: None },
        Machine { name: "compute", address: "192.168.81.65", tunnels: None, external: None },
    ],
    outside: GATEWAY,
    rabbitmq: ("openstack", "opst"),
    nova: "http://controller:8774/v2.1",
    people: People {
        admin: "admin",
        projects: &["service", "demo"],
        users: &[("nova", "nova", "service", &["admin"]), ("demo", "demo", "demo", &["member"])],
    },
    region: Some("RegionOne"),
};

/// The Juno guide's controller.
const JUNO_CONTROLLER: Machine =
    Machine { name: CONTROLLER, address: "10.0.0.11", tunnels: None, external: None };
/// The Juno guide's network node; its card is called as the guide's word that would have to be replaced.
const JUNO_NETWORK: Machine = Machine {
    name: "network",
    address: "10.0.0.21",
    tunnels: Some("10.0.1.21"),
    external: Some("INTERFACE_NAME"),
};

/// The Juno guide's: a network each for the machines, for tunnels, and for the outside.
pub static JUNO: Shape = juno(&[
    JUNO_CONTROLLER,
    JUNO_NETWORK,
    Machine { name: "compute", address: "10.0.0.31", tunnels: Some("10.0.1.31"), external: None },
]);

/// The same with a second compute host; both have a card on the external network.
pub static JUNO_WIDE: Shape = juno(&[
    JUNO_CONTROLLER,
    JUNO_NETWORK,
    Machine { name: "compute", address: "10.0.0.31", tunnels: Some("10.0.1.31"), external: Some("eth2") },
    Machine { name: "compute2", address: "10.0.0.32", tunnels: Some("10.0.1.32"), external: Some("eth2") },
]);

const fn juno(machines: &'static [Machine]) -> Shape {
    Shape {
        card: "eth0",
        machines,
        outside: "10.77.77.1",
        rabbitmq: ("guest", "RABBIT_PASS"),
        nova: "http://controller:8774/v2",
        people: People {
            admin: "admin",
            projects: &["service", "demo"],
            users: &[("nova", "NOVA_PASS", "service", &["admin"]), ("demo", "demo", "demo", &["member"])],
        },
        region: None,
    }
}

impl Shape {
    /// Whether machines have networks of their own for tunnels and for the outside.
    pub fn has_own_networks(&self) -> bool {
        self.machines.iter().any(|machine| machine.tunnels.is_some())
    }

    /// What every machine knows of the others' names.
    pub fn names(&self) -> String {
        let lines = self.machines.iter().map(|machine| format!("{} {}\n", machine.address, machine.name));
        format!("127.0.0.1 localhost\n{}", lines.collect::<String>())
    }
}
