"""Prints the flows that Neutron 29.0.0 adds under explicitly_egress_direct, with its openvswitch firewall or without.

    python tests/captured/direct.py openvswitch > tests/captured/direct-openvswitch.txt
    python tests/captured/direct.py noop > tests/captured/direct-noop.txt

with Neutron 29.0.0 importable. Port 41377 is on a VXLAN network with local VLAN 1, 41378 on a VLAN network with 2 and
41379 on a flat network with 3; 41400 is patch-tun, 41401 is int-br-ex.
"""
import sys
import types

from neutron.agent.common import ovs_lib
from neutron.agent.linux.openvswitch_firewall import firewall
from neutron.conf.agent import common
from neutron.conf.agent import securitygroups_rpc
from neutron.conf.plugins.ml2.drivers import ovs_conf
from neutron.plugins.ml2.drivers.openvswitch.agent.ovs_neutron_agent import OVSNeutronAgent
from oslo_config import cfg

ovs_conf.register_ovs_agent_opts(cfg.CONF)
securitygroups_rpc.register_securitygroups_opts()
common.register_root_helper(cfg.CONF)
cfg.CONF.set_override("explicitly_egress_direct", True, "AGENT")
cfg.CONF.set_override("bridge_mappings", ["physnet1:br-ex"], "OVS")
NETWORKS = {1: ("vxlan", None), 2: ("vlan", "physnet1"), 3: ("flat", "physnet1")}
PATCHES = {"patch-tun": 41400, "int-br-ex": 41401}


class Bridge:
    """Prints what it is asked to install."""

    is_hw_offload_enabled = False

    def __init__(self):
        self.br = self

    def add_protocols(self, *names):
        pass

    def deferred(self, **how):
        return self

    def add_flow(self, flow_group_id=None, **flow):
        firewall.create_reg_numbers(flow)
        print(ovs_lib._build_flow_expr_str({**flow, "cookie": 0x1D2C3B4A59687766}, "add", False))

    def install_goto(self, dest_table_id, table_id=0, priority=0, **match):
        self.add_flow(table=table_id, priority=priority, actions=f"resubmit(,{dest_table_id})", **match)

    def get_port_ofport(self, name):
        return PATCHES[name]


def mac(n):
    return f"fa:16:3e:00:00:{n:02x}"


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
