"""Prints the flows that Neutron 29.0.0's openvswitch firewall makes for two ports of one group.

    python tests/captured/firewall.py > tests/captured/firewall.txt

with Neutron 29.0.0 importable. Ports 41377 and 41378, local VLAN 1, the default group with a service besides.
"""
import types

from neutron.agent.linux.openvswitch_firewall import firewall

import upstream
from upstream import mac

FLOWS = {}


def port_id(n):
    return f"a00000{n:02x}-0000-0000-0000-000000000000"


class Bridge(upstream.Bridge):
    def add_flow(self, flow_group_id=None, **flow):
        text = self.shown(flow)
        match, _, _ = text.partition(",actions=")
        FLOWS[match] = text

    def delete_flows(self, **flow):
        pass

    def dump_flows_for_table(self, table):
        return ""

    def apply_flows(self):
        pass

    def get_vif_port_by_id(self, port):
        n = int(port[6:8], 16)
        return types.SimpleNamespace(port_name=f"tap{n}", ofport=41376 + n, vif_mac=mac(n), vif_id=port)

    def db_get_val(self, table, name, column):
        return {"tag": "1", "network_type": "local", "physical_network": "None"}


firewall.iptables.Helper = lambda bridge: types.SimpleNamespace(
    load_driver_if_needed=lambda: None, cleanup_port=lambda port: None)
firewall.ip_conntrack.OvsIpConntrackManager = lambda: types.SimpleNamespace(
    delete_conntrack_state_by_remote_ips=lambda *what, **how: None)
driver = firewall.OVSFirewallDriver(Bridge())
rules, members = [], {"IPv4": [], "IPv6": []}
for ethertype in ("IPv4", "IPv6"):
    rules.append({"direction": "egress", "ethertype": ethertype})
    rules.append({"direction": "ingress", "ethertype": ethertype, "remote_group_id": "default"})
for n in (1, 2):
    members["IPv4"].append((f"10.1.0.{n}", mac(n)))
    members["IPv6"].append((f"fd00::{n}", mac(n)))
driver.update_security_group_rules("default", rules)
driver.update_security_group_members("default", members)
for n in (1, 2):
    driver.prepare_port_filter({
        "device": port_id(n), "network_id": "net", "mac_address": mac(n), "security_groups": ["default"],
        "fixed_ips": [f"10.1.0.{n}", f"fd00::{n}"], "allowed_address_pairs": [], "port_security_enabled": True,
        "security_group_rules": [], "lvlan": 1})
for text in FLOWS.values():
    print(text)
