"""The mechanism driver of Linux bridge hosts for Neutron 29's server, which has none any more: a port is bound where a
Linux bridge agent is alive that reaches one of its network's segments."""
from neutron.plugins.ml2.drivers import mech_agent
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings


class BridgeMechanismDriver(mech_agent.SimpleAgentMechanismDriverBase):
    def __init__(self):
        super().__init__(constants.AGENT_TYPE_LINUXBRIDGE, portbindings.VIF_TYPE_BRIDGE,
                         {portbindings.CAP_PORT_FILTER: True})

    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def get_allowed_network_types(self, agent=None):
        tunnels = agent['configurations'].get('tunnel_types', []) if agent else []
        return [*tunnels, constants.TYPE_LOCAL, constants.TYPE_FLAT, constants.TYPE_VLAN]

    def get_mappings(self, agent):
        told = agent['configurations']
        return {**told.get('interface_mappings', {}), **told.get('bridge_mappings', {})}
