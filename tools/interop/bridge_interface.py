"""The interface driver of Linux bridge hosts for Neutron 29, which has none any more: a pair of devices, one of them
in the namespace; the Linux bridge agent finds the other by its name and wires it."""
from neutron.agent.linux import interface
from neutron.agent.linux import ip_lib


class BridgeInterfaceDriver(interface.LinuxInterfaceDriver):
    DEV_NAME_PREFIX = "ns-"

    def plug_new(self, network_id, port_id, device_name, mac_address, bridge=None, namespace=None, prefix=None,
                 mtu=None, link_up=True):
        tap = device_name.replace(prefix or self.DEV_NAME_PREFIX, "tap")
        if ip_lib.device_exists(tap):
            ip_lib.IPDevice(tap).link.delete()
        outer, inner = ip_lib.IPWrapper().add_veth(tap, device_name, namespace2=namespace)
        inner.link.set_address(mac_address)
        if mtu:
            outer.link.set_mtu(mtu)
            inner.link.set_mtu(mtu)
        outer.link.set_up()
        if link_up:
            inner.link.set_up()

    def unplug(self, device_name, bridge=None, namespace=None, prefix=None):
        tap = device_name.replace(prefix or self.DEV_NAME_PREFIX, "tap")
        ip_lib.IPDevice(tap).link.delete()

    def set_mtu(self, device_name, mtu, namespace=None, prefix=None):
        tap = device_name.replace(prefix or self.DEV_NAME_PREFIX, "tap")
        if ip_lib.device_exists(tap):
            ip_lib.IPDevice(tap).link.set_mtu(mtu)
        if ip_lib.device_exists(device_name, namespace=namespace):
            ip_lib.IPDevice(device_name, namespace=namespace).link.set_mtu(mtu)
