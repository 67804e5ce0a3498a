//! Numbers of tables, from upstream's `neutron_lib.plugins.ml2.ovs_constants`.

/// First table of every bridge.
pub const LOCAL_SWITCHING: u8 = 0;
/// One flow that tells that the switch has not lost them all.
pub const CANARY: u8 = 23;
/// ARP and neighbour messages of guarded ports.
pub const ARP_SPOOF: u8 = 24;
/// Hardware addresses of guarded ports.
pub const MAC_SPOOF: u8 = 25;
/// Addresses that are reached on the host itself.
pub const LOCAL_EGRESS: u8 = 30;
/// The same, after the port.
pub const LOCAL_IP: u8 = 31;
/// Limits of packets.
pub const PACKET_RATE_LIMIT: u8 = 58;
/// Limits of bytes.
pub const BANDWIDTH_RATE_LIMIT: u8 = 59;
/// Where filters begin.
pub const TRANSIENT: u8 = 60;
/// Frames to addresses of this host, where nothing is left to what the switch learns.
pub const LOCAL_MAC_DIRECT: u8 = 61;
/// Where what filters accepted goes out.
pub const TRANSIENT_EGRESS: u8 = 62;
/// What ports send.
pub const BASE_EGRESS: u8 = 71;
/// What the rules let them send.
pub const RULES_EGRESS: u8 = 72;
/// What they may send, to this host's ports or away.
pub const ACCEPT_OR_INGRESS: u8 = 73;
/// What ports get.
pub const BASE_INGRESS: u8 = 81;
/// What the rules let them get.
pub const RULES_INGRESS: u8 = 82;
/// Tables that drop what they say nothing about.
pub const FIREWALL: &[u8] = &[BASE_EGRESS, RULES_EGRESS, ACCEPT_OR_INGRESS, BASE_INGRESS, RULES_INGRESS];
/// Where connections pass that leave a port and begin; others' programs watch there.
pub const ACCEPTED_EGRESS: u8 = 91;
/// The same for those that reach a port.
pub const ACCEPTED_INGRESS: u8 = 92;
/// What is dropped.
pub const DROPPED: u8 = 93;
/// What goes on as in a switch that learns.
pub const ACCEPTED_EGRESS_NORMAL: u8 = 94;

/// On the tunnel bridge: from the integration bridge.
pub const PATCH_LV_TO_TUN: u8 = 2;
/// From a GRE tunnel.
pub const GRE_TUN_TO_LV: u8 = 3;
/// From a VXLAN tunnel.
pub const VXLAN_TUN_TO_LV: u8 = 4;
/// From a Geneve tunnel.
pub const GENEVE_TUN_TO_LV: u8 = 6;
/// Remembers by which tunnel an address came.
pub const LEARN_FROM_TUN: u8 = 10;
/// Frames to one address.
pub const UCAST_TO_TUN: u8 = 20;
/// ARP that is answered here.
pub const ARP_RESPONDER: u8 = 21;
/// Frames to everybody.
pub const FLOOD_TO_TUN: u8 = 22;

/// Tables that agents fill, ours or Python's, on any of the bridges.
pub const AGENTS: &[u8] = &[
    0, 1, 2, 3, 4, 6, 9, 10, 20, 21, 22, 23, 24, 25, 30, 31, 58, 59, 60, 61, 62, 71, 72, 73, 77, 78, 80, 81,
    82, 87, 90, 91, 92, 93, 94,
];

/// The highest priority.
pub const PRIORITY_MAX: u16 = 65535;
