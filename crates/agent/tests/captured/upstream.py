"""What the scripts beside it share: Neutron 29.0.0's options, and a bridge that only says what it is asked for."""
from neutron.agent.common import ovs_lib
from neutron.conf.agent import common
from neutron.conf.agent import securitygroups_rpc
from neutron.conf.plugins.ml2.drivers import ovs_conf
from oslo_config import cfg

ovs_conf.register_ovs_agent_opts(cfg.CONF)
securitygroups_rpc.register_securitygroups_opts()
common.register_root_helper(cfg.CONF)


def mac(n):
    return f"fa:16:3e:00:00:{n:02x}"


class Bridge:
    is_hw_offload_enabled = False

    def __init__(self):
        self.br = self

    def add_protocols(self, *names):
        pass

    def deferred(self, **how):
        return self

    def shown(self, flow):
        return ovs_lib._build_flow_expr_str({**flow, "cookie": 0x1D2C3B4A59687766}, "add", False)
