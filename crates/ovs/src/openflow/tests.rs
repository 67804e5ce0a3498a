//! What we make of messages that ovs-ofctl sent, and what we would send in its place, byte by byte.
//! `tests/captured/messages.txt` says which; `capture.py` beside it writes it anew.

use super::action::{Action, Actions, Port};
use super::flow::{Bucket, Command, FlowMod, GroupKind, GroupMod, MeterMod, MeterUnit, PacketOut};
use super::message::{BundleStep, HEADER, Incoming, Request, Version, kind};
use super::wire::{Reader, hex};

const CAPTURED: &str = include_str!("../../tests/captured/messages.txt");

/// A message, the command it came of, and how ovs-ofctl reads it.
struct Captured {
    command: &'static str,
    printed: &'static str,
    bytes: Vec<u8>,
}

fn captured() -> Vec<Captured> {
    let (mut command, mut printed, mut out) = ("", "", Vec::new());
    for line in CAPTURED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(text) = line.strip_prefix("$ ") {
            command = text;
        } else if let Some(text) = line.strip_prefix("< ") {
            printed = text;
        } else {
            let digits = line.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
            let bytes = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
            out.push(Captured { command, printed, bytes });
        }
    }
    out
}

fn read(bytes: &[u8]) -> (Version, Incoming) {
    let message = Incoming::cut(&mut bytes.to_vec()).unwrap().unwrap();
    let version = if message.version == 5 { Version::V14 } else { Version::V13 };
    (version, message)
}

/// As `ovs-ofctl ofp-print` reads a flow_mod.
fn print(change: &FlowMod) -> String {
    let flow = &change.flow;
    let mut out = match change.command {
        Command::Add => "ADD",
        Command::Modify => "MOD",
        Command::ModifyStrict => "MOD_STRICT",
        Command::Delete => "DEL",
        Command::DeleteStrict => "DEL_STRICT",
    }
    .to_owned();
    match flow.key.table {
        0 => {}
        255 => out += " table:255",
        table => out += &format!(" table:{table}"),
    }
    let matching = flow.key.matching.to_string();
    match (flow.key.priority, matching.as_str()) {
        (0x8000, "") => {}
        (0x8000, matching) => out += &format!(" {matching}"),
        (priority, "") => out += &format!(" priority={priority}"),
        (priority, matching) => out += &format!(" priority={priority},{matching}"),
    }
    match (flow.cookie, change.cookie_mask) {
        (0, 0) => {}
        (cookie, 0) => out += &format!(" cookie:{cookie:#x}"),
        (cookie, mask) => out += &format!(" cookie:{cookie:#x}/{mask:#x}"),
    }
    if flow.idle_timeout != 0 {
        out += &format!(" idle:{}", flow.idle_timeout);
    }
    if flow.hard_timeout != 0 {
        out += &format!(" hard:{}", flow.hard_timeout);
    }
    out + &format!(" actions={}", Actions(&flow.actions))
}

#[test]
fn flows_are_read_printed_and_written_as_by_ovs_ofctl() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for Captured { command, printed, bytes } in captured() {
        let (version, message) = read(&bytes);
        let request = match message.kind {
            kind::FLOW_MOD => {
                let change = FlowMod::decode(&message.body).unwrap_or_else(|e| panic!("{command}: {e}"));
                let (_, text) = printed.split_once("): ").unwrap();
                if print(&change) != text {
                    wrong.push(format!("{}\n{text}", print(&change)));
                }
                Request::FlowMod(change)
            }
            kind::BUNDLE_ADD_MESSAGE => {
                let change = FlowMod::decode(&message.body[8 + HEADER..]).unwrap();
                Request::BundleAdd(0, Box::new(Request::FlowMod(change)))
            }
            kind::EXPERIMENTER if message.body[4..8] == 2301u32.to_be_bytes() => {
                let change = FlowMod::decode(&message.body[16 + HEADER..]).unwrap();
                Request::BundleAdd(0, Box::new(Request::FlowMod(change)))
            }
            _ => continue,
        };
        if request.encode(version, message.xid) != bytes {
            wrong.push(format!("{command}\n{}\n{}", hex(&request.encode(version, message.xid)), hex(&bytes)));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 50, "{seen} messages were found");
}

#[test]
fn the_rest_is_written_as_by_ovs_ofctl() {
    let output = |port| Action::Output(Port(port));
    let bucket = |weight, actions| Bucket { weight, actions };
    let frame = [[0xff; 6].as_slice(), &[0, 0x50, 0x56, 0, 0, 1, 8, 6]].concat();
    let two = vec![bucket(0, vec![output(1)]), bucket(0, vec![Action::PopVlan, output(2)])];
    let out = PacketOut {
        in_port: Port::LOCAL,
        actions: vec![Action::resubmit(3), Action::Output(Port::FLOOD)],
        frame,
    };
    let expected = [
        ("dump-flows -", Request::Flows),
        ("add-group group_id=1", Request::GroupMod(GroupMod::Add(1, GroupKind::All, two))),
        (
            "add-group group_id=2",
            Request::GroupMod(GroupMod::Add(2, GroupKind::Select, vec![bucket(50, vec![output(1)])])),
        ),
        (
            "mod-group group_id=1",
            Request::GroupMod(GroupMod::Modify(1, GroupKind::Indirect, vec![bucket(0, vec![output(1)])])),
        ),
        ("del-groups group_id=1", Request::GroupMod(GroupMod::Delete(1))),
        ("add-meter meter=1", Request::MeterMod(MeterMod::Add(1, MeterUnit::Kbps, 20000, Some(2000)))),
        ("mod-meter meter=1", Request::MeterMod(MeterMod::Modify(1, MeterUnit::Pktps, 100, None))),
        ("del-meter meter=1", Request::MeterMod(MeterMod::Delete(1))),
        ("packet-out in_port=LOCAL", Request::PacketOut(out)),
    ];
    for (command, request) in expected {
        let found = captured().into_iter().find(|c| c.command.contains(command)).expect(command);
        let (version, message) = read(&found.bytes);
        assert_eq!(hex(&request.encode(version, message.xid)), hex(&found.bytes), "{command}");
    }
    // What holds a bundle together, in both versions.
    let mut steps = 0;
    for Captured { command, bytes, .. } in captured().iter().filter(|c| c.command.contains("--bundle")) {
        let (version, message) = read(bytes);
        let skip = if version == Version::V13 { 8 } else { 0 };
        let control = message.kind == kind::BUNDLE_CONTROL || message.body[4..8] == 2300u32.to_be_bytes();
        if control {
            let mut reader = Reader::new(&message.body[skip..], "a bundle");
            reader.u32().unwrap();
            let step = if reader.u16().unwrap() == 0 { BundleStep::Open } else { BundleStep::Commit };
            let request = Request::Bundle(0, step);
            assert_eq!(hex(&request.encode(version, message.xid)), hex(bytes), "{command}");
            steps += 1;
        }
    }
    assert_eq!(steps, 4);
}

#[test]
fn damaged_messages_are_refused() {
    for Captured { bytes, .. } in captured() {
        let (_, message) = read(&bytes);
        for len in 0..message.body.len() {
            // No panic, whatever comes of it.
            _ = FlowMod::decode(&message.body[..len]);
        }
    }
}
