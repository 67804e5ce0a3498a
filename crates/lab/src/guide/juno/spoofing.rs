//! What an instance must not pretend to be, with frames made by hand: hardware address, address, neighbour, server of
//! DHCP, router. A truth of each kind goes with the lies, so that silence says something.

use crate::frames::{Capture, Lie, Marks, Place, mark, send};
use crate::instance::Instance;
use crate::report::{Report, words};

/// Everybody.
const ALL: &str = "ff:ff:ff:ff:ff:ff";
/// All nodes, in IPv6 and in its frames.
const NODES: (&str, &str) = ("ff02::1", "33:33:00:00:00:01");
/// Marks from here on are of truths.
const TRUTH_MIN: u8 = 50;

impl Lie {
    fn shown(self) -> &'static str {
        match self {
            Lie::Mac => "sends with another MAC address, over IPv4, IPv6 and other protocols",
            Lie::Ip => "sends from another address, IPv4 and IPv6",
            Lie::Arp => "says by ARP that the router's address, and a neighbour's, is here",
            Lie::Nd => "says by neighbour discovery that others' addresses are here",
            Lie::Dhcp => "answers as a DHCP server, IPv4 and IPv6",
            Lie::Ra => "announces itself as a router",
        }
    }
}

/// An address of the port's own that IPv6 makes of its hardware address.
fn link_local(mac: &str) -> String {
    let octets: Vec<u8> = mac.split(':').filter_map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    match octets[..] {
        [a, b, c, d, e, f] => {
            format!("fe80::{:02x}{b:02x}:{c:02x}ff:fe{d:02x}:{e:02x}{f:02x}", a ^ 2)
        }
        _ => "::".to_owned(),
    }
}

/// Who lies, to whom, on what network.
pub struct Scene<'a> {
    /// Who lies.
    pub from: &'a Instance,
    /// On the same host, and on another; they let everything in.
    pub to: [&'a Instance; 2],
    /// The router's address.
    pub router: &'a str,
}

impl Scene<'_> {
    /// Takes a step for each kind.
    pub fn run(&self, report: &mut Report) {
        for kind in Lie::ALL {
            let expects = "nothing of it comes out on its own host or on the other; the truth does on both";
            report.step(&format!("eve {}", kind.shown()), expects, || self.tried(kind));
        }
    }

    fn tried(&self, kind: Lie) -> Result<String, String> {
        let captures = Capture::start(self.to.map(|to| (&to.host, Place::of("eth0"))).into())?;
        let (lies, truths) = (self.lies(kind), self.truths(kind));
        let marked = |calls: &[String], from: u8| -> Vec<String> {
            let calls = (from..).zip(calls);
            calls.map(|(number, call)| call.replace("MARK", &mark(number))).collect()
        };
        let all = [marked(&truths, TRUTH_MIN), marked(&lies, 1), marked(&truths, TRUTH_MIN)].concat();
        let sent = send(&self.from.host, &all);
        let mut said = Vec::new();
        let mut right = true;
        for capture in captures {
            let name = capture.named();
            let seen: Marks = capture.end()?;
            let (told, honest): (Vec<u8>, Vec<u8>) = seen.keys().partition(|mark| **mark < TRUTH_MIN);
            right &= told.is_empty() && honest.len() == truths.len();
            said.push(format!(
                "{name}: {} of {} lies, {} of {} truths",
                told.len(),
                lies.len(),
                honest.len(),
                truths.len()
            ));
        }
        sent.map_err(words)?;
        if right { Ok(said.join("\n")) } else { Err(said.join("\n")) }
    }

    fn lies(&self, kind: Lie) -> Vec<String> {
        let (me, ip) = (self.from.plug.mac.as_str(), self.from.ipv4());
        let own6 = link_local(me);
        let [near, far] = self.to.map(|to| (to.plug.mac.clone(), to.ipv4()));
        let other = "fa:16:3e:66:66:66";
        let (all6, nodes) = NODES;
        match kind {
            Lie::Mac => vec![
                udp(other, ALL, &ip, "255.255.255.255", (4000, 4000)),
                udp(&near.0, &far.0, &ip, &far.1, (4000, 4000)),
                udp(other, nodes, &own6, all6, (4000, 4000)),
                format!("other('{other}', '{ALL}', 0x88b5, 'MARK')"),
            ],
            Lie::Ip => vec![
                udp(me, &far.0, &near.1, &far.1, (4000, 4000)),
                udp(me, ALL, "198.51.100.7", "255.255.255.255", (4000, 4000)),
                udp(me, nodes, &link_local(other), all6, (4000, 4000)),
                udp(me, nodes, "2001:db8::7", all6, (4000, 4000)),
            ],
            Lie::Arp => vec![
                format!("arp('{me}', '{}', '{}', data='MARK')", self.router, far.1),
                format!("arp('{me}', '{0}', '{0}', 2, data='MARK')", self.router),
                format!("arp('{me}', '{}', '{}', 2, dst='{}', data='MARK')", near.1, far.1, far.0),
                format!("arp('{other}', '{ip}', '{}', data='MARK')", far.1),
            ],
            Lie::Nd => vec![
                format!("advertise('{me}', '{nodes}', '{own6}', '{all6}', '{}', 'MARK')", link_local(&far.0)),
                format!("advertise('{me}', '{nodes}', '{own6}', '{all6}', '2001:db8::1', 'MARK')"),
                format!("advertise('{other}', '{nodes}', '{own6}', '{all6}', '{own6}', 'MARK')"),
            ],
            Lie::Dhcp => vec![
                udp(me, ALL, &ip, "255.255.255.255", (67, 68)),
                udp(me, &far.0, &ip, &far.1, (67, 68)),
                udp(me, nodes, &own6, all6, (547, 546)),
            ],
            Lie::Ra => vec![format!("router('{me}', '{own6}', 'MARK')")],
        }
    }

    fn truths(&self, kind: Lie) -> Vec<String> {
        let (me, ip) = (self.from.plug.mac.as_str(), self.from.ipv4());
        let own6 = link_local(me);
        let (all6, nodes) = NODES;
        match kind {
            Lie::Mac | Lie::Ip => vec![
                udp(me, ALL, &ip, "255.255.255.255", (4000, 4000)),
                udp(me, nodes, &own6, all6, (4000, 4000)),
            ],
            Lie::Arp => vec![format!("arp('{me}', '{ip}', '{}', data='MARK')", self.router)],
            Lie::Nd => vec![format!("advertise('{me}', '{nodes}', '{own6}', '{all6}', '{own6}', 'MARK')")],
            Lie::Dhcp => vec![udp(me, ALL, "0.0.0.0", "255.255.255.255", (68, 67))],
            Lie::Ra => vec![format!("solicit_router('{me}', '{own6}', 'MARK')")],
        }
    }
}

fn udp(src: &str, dst: &str, source: &str, target: &str, (from, to): (u16, u16)) -> String {
    format!("udp('{src}', '{dst}', '{source}', '{target}', {from}, {to}, 'MARK')")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_address_is_made_of_the_hardware_address() {
        assert_eq!(link_local("fa:16:3e:01:02:03"), "fe80::f816:3eff:fe01:0203");
    }
}
