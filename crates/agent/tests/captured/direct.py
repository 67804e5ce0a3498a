"""Prints the flows that Neutron 29.0.0 adds under explicitly_egress_direct, with its openvswitch firewall or without.

    python tests/captured/direct.py openvswitch > tests/captured/direct-openvswitch.txt
    python tests/captured/direct.py noop > tests/captured/direct-noop.txt

with Neutron 29.0.0 importable. Port 41377 is on a VXLAN network with local VLAN 1, 41378 on a VLAN network with 2 and
41379 on a flat network with 3; 41400 is patch-tun, 41401 is int-br-ex.
"""
import sys
import types

from neutron.agent.linux.openvswitch_firewall import firewall
from neutron.plugins.ml2.drivers.openvswitch.agent.ovs_neutron_agent import OVSNeutronAgent
from oslo_config import cfg

import upstream
from upstream import mac

cfg.CONF.set_override("explicitly_egress_direct", True, "AGENT")
cfg.CONF.set_override("bridge_mappings", ["physnet1:br-ex"], "OVS")
NETWORKS = {1: ("vxlan", None), 2: ("vlan", "physnet1"), 3: ("flat", "physnet1")}
PATCHES = {"patch-tun": 41400, "int-br-ex": 41401}


class Bridge(upstream.Bridge):
    """Prints what it is asked to install."""

    def add_flow(self, flow_group_id=None, **flow):
        firewall.create_reg_numbers(flow)
        print(self.shown(flow))

    def install_goto(self, dest_table_id, table_id=0, priority=0, **match):
        self.add_flow(table=table_id, priority=priority, actions=f"resubmit(,{dest_table_id})", **match)

    def get_port_ofport(self, name):
        return PATCHES[name]


def with_firewall():
    driver = types.SimpleNamespace(int_br=Bridge())
    driver._add_flow = driver.int_br.add_flow
    firewall.OVSFirewallDriver._initialize_common_flows(driver)
    for n, (kind, physical) in NETWORKS.items():
        firewall.OVSFirewallDriver.install_accepted_egress_direct_flow(
            driver, mac(n), n, 41376 + n, {"network_type": kind, "physical_network": physical})


def without():
    agent = types.SimpleNamespace(
        int_br=Bridge(), conf=cfg.CONF, direct_for_non_openflow_firewall=True, enable_tunneling=True,
        bridge_mappings={"physnet1": "br-ex"}, int_ofports={"physnet1": 41401}, patch_tun_ofport=41400)
    lvms = {n: types.SimpleNamespace(vlan=n, network_type=kind, physical_network=physical)
            for n, (kind, physical) in NETWORKS.items()}
    agent.vlan_manager = types.SimpleNamespace(get=lambda network, segment: lvms[network])
    OVSNeutronAgent.install_ingress_direct_goto_flows(agent)
    for n in NETWORKS:
        port = types.SimpleNamespace(ofport=41376 + n)
        details = {"network_id": n, "segmentation_id": 0, "mac_address": mac(n), "vif_port": port}
        OVSNeutronAgent.install_accepted_egress_direct_flow(agent, details, agent.int_br)


with_firewall() if sys.argv[1] == "openvswitch" else without()
