//! What the server and the agents that wire ports tell each other: devices, security groups,
//! forwarding entries. Fields as in Neutron's calls on `q-plugin` and the topics of
//! `q-agent-notifier`; what an older or newer peer leaves out has a default.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::mac::Mac;

/// The server's answer about one device, from `get_device_details` and its siblings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DeviceReply {
    /// A port bound to the asking host.
    Known(Box<DeviceDetails>),
    /// A port bound elsewhere.
    Inactive {
        /// The device as it was asked for.
        device: String,
        /// Always true.
        no_active_binding: bool,
    },
    /// No such port, or not bound.
    Unknown {
        /// The device as it was asked for.
        device: String,
    },
}

/// All that is needed to wire one port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceDetails {
    /// The device as it was asked for (`tap24191168-b2`, or the port's id).
    pub device: String,
    /// The port.
    pub port_id: String,
    /// The network it is on.
    pub network_id: String,
    /// Its address.
    pub mac_address: Mac,
    /// Whether it may carry traffic.
    pub admin_state_up: bool,
    /// `flat`, `vlan`, `vxlan`, `local` …
    pub network_type: String,
    /// VLAN tag or VXLAN network identifier.
    #[serde(default)]
    pub segmentation_id: Option<u32>,
    /// For `flat` and `vlan`.
    #[serde(default)]
    pub physical_network: Option<String>,
    /// Its addresses.
    #[serde(default)]
    pub fixed_ips: Vec<FixedIp>,
    /// `compute:nova`, `network:dhcp` …
    #[serde(default)]
    pub device_owner: String,
    /// Further addresses it may use.
    #[serde(default)]
    pub allowed_address_pairs: Vec<AddressPair>,
    /// Whether spoofing is prevented and security groups apply.
    #[serde(default = "yes")]
    pub port_security_enabled: bool,
    /// Bytes; older servers leave it out.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// What the binder stored with the binding.
    #[serde(default)]
    pub profile: Value,
    /// The port's own QoS policy.
    #[serde(default)]
    pub qos_policy_id: Option<String>,
    /// The network's QoS policy; Liberty said `network_qos_policy_id`.
    #[serde(default, alias = "network_qos_policy_id")]
    pub qos_network_policy_id: Option<String>,
    /// For SR-IOV.
    #[serde(default)]
    pub propagate_uplink_status: bool,
}

fn yes() -> bool {
    true
}

/// An address of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedIp {
    /// Where it is from.
    pub subnet_id: String,
    /// The address.
    pub ip_address: IpAddr,
}

/// An address or network that a port may use beside its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressPair {
    /// With this hardware address.
    pub mac_address: Mac,
    /// An address, or a network in CIDR notation.
    pub ip_address: String,
}

/// The answer to `get_devices_details_list_and_failed_devices`; `get_devices_details_list` answers the first field alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DevicesDetails {
    /// One answer for each device that could be looked up.
    pub devices: Vec<DeviceReply>,
    /// Those to ask for again.
    #[serde(default)]
    pub failed_devices: Vec<String>,
}

/// The answer to `update_device_list`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct UpdatedDevices {
    /// Done.
    #[serde(default)]
    pub devices_up: Vec<String>,
    /// To be told again.
    #[serde(default)]
    pub failed_devices_up: Vec<String>,
    /// Done; with whether the port still exists.
    #[serde(default)]
    pub devices_down: Vec<Value>,
    /// To be told again.
    #[serde(default)]
    pub failed_devices_down: Vec<String>,
}

/// The answer to `security_group_info_for_devices`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SecurityGroupInfo {
    /// By port id. Ports of network services are left out.
    pub devices: BTreeMap<String, SecuredPort>,
    /// The rules of each group that these ports are in.
    pub security_groups: BTreeMap<String, Vec<SecurityRule>>,
    /// The members of each group and address group that the rules refer to.
    pub sg_member_ips: BTreeMap<String, Members>,
}

/// A port as its filter needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecuredPort {
    /// Its device, as it was asked for.
    pub device: String,
    /// The network it is on.
    #[serde(default)]
    pub network_id: String,
    /// Its hardware address.
    pub mac_address: Mac,
    /// Its addresses.
    #[serde(default)]
    pub fixed_ips: Vec<IpAddr>,
    /// Further addresses it may use.
    #[serde(default)]
    pub allowed_address_pairs: Vec<AddressPair>,
    /// `compute:nova` …
    #[serde(default)]
    pub device_owner: String,
    /// The groups it is in.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// Rules that every port has (DHCP and router announcements).
    #[serde(default)]
    pub security_group_rules: Vec<SecurityRule>,
    /// Groups whose members its rules refer to.
    #[serde(default)]
    pub security_group_source_groups: Vec<String>,
    /// Whether the filter applies.
    #[serde(default = "yes")]
    pub port_security_enabled: bool,
}

/// From where to where a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the port.
    Ingress,
    /// From the port.
    Egress,
}

/// An IP version, in the API's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ethertype {
    /// IPv4
    #[serde(rename = "IPv4")]
    V4,
    /// IPv6
    #[serde(rename = "IPv6")]
    V6,
}

/// A rule of a security group, expanded for agents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecurityRule {
    /// Direction.
    pub direction: Direction,
    /// IP version.
    pub ethertype: Ethertype,
    /// Name or number; none = all.
    #[serde(default, deserialize_with = "text_or_number", skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// First port, or ICMP type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_range_min: Option<u16>,
    /// Last port, or ICMP code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_range_max: Option<u16>,
    /// First source port, or ICMP type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port_range_min: Option<u16>,
    /// Last source port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port_range_max: Option<u16>,
    /// The remote network of an ingress rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip_prefix: Option<String>,
    /// The remote network of an egress rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dest_ip_prefix: Option<String>,
    /// The remote group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_group_id: Option<String>,
    /// The remote address group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_address_group_id: Option<String>,
    /// Whether answers pass by connection tracking.
    #[serde(default = "yes")]
    pub stateful: bool,
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// Members of a security group, or networks of an address group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Members {
    /// IPv4
    #[serde(rename = "IPv4", default)]
    pub v4: Vec<Member>,
    /// IPv6
    #[serde(rename = "IPv6", default)]
    pub v6: Vec<Member>,
}

/// One member: call version 1.2 lists addresses, 1.3 pairs of address and hardware address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Member {
    /// An address or network alone.
    Address(String),
    /// With its hardware address, if it has one.
    Pair(String, Option<String>),
}

impl Member {
    /// The address or network.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Member::Address(address) | Member::Pair(address, _) => address,
        }
    }
}

/// `add_fdb_entries` and `remove_fdb_entries`: by network id.
pub type FdbEntries = BTreeMap<String, FdbNetwork>;

/// The forwarding entries of one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FdbNetwork {
    /// VXLAN network identifier.
    pub segment_id: Option<u32>,
    /// `vxlan` …
    pub network_type: String,
    /// By tunnel address of the host they are on; address (0, 0.0.0.0) = everybody.
    pub ports: BTreeMap<IpAddr, Vec<FdbPort>>,
}

/// A port's hardware address and address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FdbPort(pub Mac, pub IpAddr);

/// `update_fdb_entries`: ports whose addresses changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FdbUpdate {
    /// By network id and tunnel address.
    #[serde(default)]
    pub chg_ip: BTreeMap<String, BTreeMap<IpAddr, FdbChange>>,
}

/// A changed port before and after.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FdbChange {
    /// No longer so.
    #[serde(default)]
    pub before: Vec<FdbPort>,
    /// Now so.
    #[serde(default)]
    pub after: Vec<FdbPort>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_apart() {
        let known = r#"{"device":"tap1","network_id":"n","port_id":"p","mac_address":"fa:16:3e:ad:6d:68",
            "admin_state_up":true,"network_type":"vxlan","segmentation_id":974,"physical_network":null,
            "mtu":1450,"fixed_ips":[{"subnet_id":"s","ip_address":"192.168.1.181"}],"device_owner":"compute:nova",
            "allowed_address_pairs":[],"port_security_enabled":true,"qos_policy_id":null,"profile":{}}"#;
        assert!(
            matches!(serde_json::from_str(known), Ok(DeviceReply::Known(d)) if d.segmentation_id == Some(974))
        );
        let inactive = r#"{"device":"tap1","no_active_binding":true}"#;
        assert!(matches!(serde_json::from_str(inactive), Ok(DeviceReply::Inactive { .. })));
        assert!(matches!(serde_json::from_str(r#"{"device":"tap1"}"#), Ok(DeviceReply::Unknown { .. })));
    }

    #[test]
    fn both_forms_of_members_and_protocols() {
        let members: Members = serde_json::from_str(
            r#"{"IPv4":["10.0.0.1",["10.0.0.2","fa:16:3e:00:00:01"],["10.1.0.0/16",null]]}"#,
        )
        .unwrap();
        assert_eq!(
            members.v4.iter().map(Member::address).collect::<Vec<_>>(),
            ["10.0.0.1", "10.0.0.2", "10.1.0.0/16"]
        );
        for (json, expected) in [(r#""tcp""#, Some("tcp")), ("6", Some("6")), ("null", None)] {
            let rule = format!(r#"{{"direction":"ingress","ethertype":"IPv4","protocol":{json}}}"#);
            let rule: SecurityRule = serde_json::from_str(&rule).unwrap();
            assert_eq!((rule.protocol.as_deref(), rule.stateful), (expected, true));
        }
    }
}
