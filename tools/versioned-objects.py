#!/usr/bin/env python3
"""Writes crates/server/tests/golden/objects.json: what Neutron's versioned objects look like on the wire.

Rows are put into an SQLite database with Neutron's own models, read back as Neutron's own objects, and written in
every version that an agent may ask for. Run it with a Python that has neutron 29.0.0:

    tools/python-venv tools/neutron-29.lock .tools/neutron-29
    .tools/neutron-29/bin/python tools/versioned-objects.py
"""
import json
import os
import sys
import tempfile

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../crates/server/tests/golden/objects.json")

NET, SUB, PORT, PLAIN = ("%08d-1111-4222-8333-444444444444" % n for n in (1, 2, 3, 4))
SEG, SG, OTHER, RULE1, RULE2, RULE3 = ("%08d-1111-4222-8333-444444444444" % n for n in (5, 6, 7, 8, 9, 10))
POOL, OPT, GROUP, RBAC, QOS = ("%08d-1111-4222-8333-444444444444" % n for n in (11, 12, 13, 14, 15))
# A new database has some standard attributes of its own.
ATTRIBUTES = 1000
MADE, CHANGED = "2026-01-02 03:04:05", "2026-02-03 04:05:06"


def attribute(number, kind, description=None, revision=0):
    return {"id": ATTRIBUTES + number, "resource_type": kind, "created_at": MADE, "updated_at": CHANGED,
            "description": description, "revision_number": revision}


ROWS = [
    ("standardattributes", [
        attribute(1, "networks", "", 2), attribute(2, "subnets", "inner", 1), attribute(3, "ports", "", 7),
        attribute(4, "ports"), attribute(5, "networksegments"), attribute(6, "securitygroups", "web", 3),
        attribute(7, "securitygroups", ""), attribute(8, "securitygrouprules"),
        attribute(9, "securitygrouprules", "ssh"), attribute(10, "securitygrouprules"),
        attribute(11, "address_groups", "hosts"), attribute(12, "qos_policies", ""),
    ]),
    ("qos_policies", [{"id": QOS, "name": "gold", "project_id": "p1", "standard_attr_id": ATTRIBUTES + 12}]),
    ("networks", [{"id": NET, "project_id": "p1", "name": "private", "status": "ACTIVE", "admin_state_up": True,
                   "mtu": 1450, "standard_attr_id": ATTRIBUTES + 1, "availability_zone_hints": "[\"z1\"]"}]),
    ("networkrbacs", [{"id": RBAC, "object_id": NET, "project_id": "p1", "target_project": "*",
                       "action": "access_as_shared"}]),
    ("networksecuritybindings", [{"network_id": NET, "port_security_enabled": True}]),
    ("networkdnsdomains", [{"network_id": NET, "dns_domain": "example.org."}]),
    ("qos_network_policy_bindings", [{"policy_id": QOS, "network_id": NET}]),
    ("networksegments", [{"id": SEG, "network_id": NET, "network_type": "vxlan", "physical_network": None,
                          "segmentation_id": 77, "is_dynamic": False, "segment_index": 0, "standard_attr_id": ATTRIBUTES + 5,
                          "name": None}]),
    ("segmenthostmappings", [{"segment_id": SEG, "host": "one"}, {"segment_id": SEG, "host": "two"}]),
    ("subnets", [{"id": SUB, "project_id": "p1", "name": "inner", "network_id": NET, "ip_version": 4,
                  "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1", "enable_dhcp": True, "standard_attr_id": ATTRIBUTES + 2}]),
    ("ipallocationpools", [{"id": POOL, "subnet_id": SUB, "first_ip": "10.0.0.2", "last_ip": "10.0.0.254"}]),
    ("dnsnameservers", [{"address": "9.9.9.9", "subnet_id": SUB, "order": 0},
                        {"address": "8.8.8.8", "subnet_id": SUB, "order": 1}]),
    ("subnetroutes", [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9", "subnet_id": SUB}]),
    ("subnet_service_types", [{"subnet_id": SUB, "service_type": "compute:nova"}]),
    ("subnet_dns_publish_fixed_ips", [{"subnet_id": SUB, "dns_publish_fixed_ip": True}]),
    ("securitygroups", [{"id": SG, "project_id": "p1", "name": "web", "stateful": True, "standard_attr_id": ATTRIBUTES + 6},
                        {"id": OTHER, "project_id": "p1", "name": "default", "stateful": False,
                         "standard_attr_id": ATTRIBUTES + 7}]),
    ("default_security_group", [{"project_id": "p1", "security_group_id": OTHER}]),
    ("address_groups", [{"id": GROUP, "project_id": "p1", "name": "hosts", "standard_attr_id": ATTRIBUTES + 11}]),
    ("address_associations", [{"address": "192.0.2.0/24", "address_group_id": GROUP},
                              {"address": "198.51.100.7/32", "address_group_id": GROUP}]),
    ("securitygrouprules", [
        {"id": RULE1, "project_id": "p1", "security_group_id": SG, "direction": "ingress", "ethertype": "IPv4",
         "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.1.2.3/16",
         "standard_attr_id": ATTRIBUTES + 8},
        {"id": RULE2, "project_id": "p1", "security_group_id": SG, "direction": "ingress", "ethertype": "IPv6",
         "remote_group_id": OTHER, "standard_attr_id": ATTRIBUTES + 9},
        {"id": RULE3, "project_id": "p1", "security_group_id": OTHER, "direction": "egress", "ethertype": "IPv4",
         "protocol": "icmp", "port_range_min": 8, "port_range_max": 0, "remote_address_group_id": GROUP,
         "standard_attr_id": ATTRIBUTES + 10},
    ]),
    ("ports", [
        {"id": PORT, "project_id": "p1", "name": "vm", "network_id": NET, "mac_address": "fa:16:3e:00:00:01",
         "admin_state_up": True, "status": "ACTIVE", "device_id": "vm-1", "device_owner": "compute:nova",
         "standard_attr_id": ATTRIBUTES + 3, "ip_allocation": "immediate"},
        {"id": PLAIN, "project_id": "", "name": "", "network_id": NET, "mac_address": "fa:16:3e:00:00:02",
         "admin_state_up": False, "status": "DOWN", "device_id": "", "device_owner": "", "standard_attr_id": ATTRIBUTES + 4},
    ]),
    ("ipallocations", [{"port_id": PORT, "ip_address": "10.0.0.7", "subnet_id": SUB, "network_id": NET}]),
    ("ml2_port_bindings", [
        {"port_id": PORT, "host": "one", "vif_type": "bridge", "vnic_type": "normal", "profile": "{\"a\": 1}",
         "vif_details": "{\"port_filter\": true}", "status": "ACTIVE"},
        {"port_id": PLAIN, "host": "", "vif_type": "unbound", "vnic_type": "normal", "profile": "",
         "vif_details": "", "status": "ACTIVE"}]),
    ("ml2_port_binding_levels", [{"port_id": PORT, "host": "one", "level": 0, "driver": "linuxbridge",
                                  "segment_id": SEG}]),
    ("allowedaddresspairs", [{"port_id": PORT, "mac_address": "fa:16:3e:00:00:09", "ip_address": "10.0.0.9"},
                             {"port_id": PORT, "mac_address": "fa:16:3e:00:00:09",
                              "ip_address": "10.3.0.0/16"}]),
    ("extradhcpopts", [{"id": OPT, "port_id": PORT, "opt_name": "mtu", "opt_value": "1400", "ip_version": 4}]),
    ("portdnses", [{"port_id": PORT, "current_dns_name": "", "current_dns_domain": "", "previous_dns_name": "",
                    "previous_dns_domain": "", "dns_name": "vm", "dns_domain": "example.org."}]),
    ("portsecuritybindings", [{"port_id": PORT, "port_security_enabled": True}]),
    ("portdataplanestatuses", [{"port_id": PORT, "data_plane_status": "ACTIVE"}]),
    ("porthints", [{"port_id": PORT, "hints": "{\"openvswitch\": {}}"}]),
    ("portnumaaffinitypolicies", [{"port_id": PORT, "numa_affinity_policy": "preferred"}]),
    ("portdeviceprofiles", [{"port_id": PORT, "device_profile": "gpu"}]),
    ("porthardwareoffloadtype", [{"port_id": PORT, "hardware_offload_type": "switchdev"}]),
    ("porttrusted", [{"port_id": PORT, "trusted": True}]),
    ("qos_port_policy_bindings", [{"policy_id": QOS, "port_id": PORT}]),
    ("securitygroupportbindings", [{"port_id": PORT, "security_group_id": SG},
                                   {"port_id": PORT, "security_group_id": OTHER}]),
]

# The versions from what agents of 2024.1 (25.2.3 and before) report to the newest, and every step between.
VERSIONS = {
    "Port": ["1.6", "1.7", "1.8", "1.9", "1.10", "1.11"],
    "Network": ["1.1", "1.2", "1.3"],
    "Subnet": ["1.1", "1.2"],
    "SecurityGroup": ["1.2", "1.3", "1.4", "1.5", "1.6"],
    "SecurityGroupRule": ["1.0", "1.1", "1.2", "1.3"],
    "AddressGroup": ["1.2"],
}


def ordered(value):
    """Sets travel as lists in no order: give them one."""
    if isinstance(value, dict):
        return {name: ordered(part) for name, part in value.items()}
    if isinstance(value, list):
        parts = [ordered(part) for part in value]
        return sorted(parts, key=lambda part: json.dumps(part, sort_keys=True))
    return value


def main():
    import sqlalchemy
    from neutron_lib import context
    from neutron_lib.db import model_base
    from oslo_config import cfg
    from oslo_db import options as db_options
    from neutron.common import config
    from neutron.db.migration.models import head  # noqa: F401 (brings in every model)
    from neutron.api.rpc.callbacks import resources
    from neutron import objects
    from neutron_lib.db import api as db_api

    folder = tempfile.mkdtemp()
    config.register_common_config_options()
    cfg.CONF([], project="neutron", default_config_files=[])
    db_options.set_defaults(cfg.CONF)
    cfg.CONF.set_override("connection", "sqlite:///%s/neutron.sqlite" % folder, group="database")
    objects.register_objects()
    engine = db_api.get_context_manager().writer.get_engine()
    model_base.BASEV2.metadata.create_all(engine)
    tables = model_base.BASEV2.metadata.tables
    from datetime import datetime
    with engine.begin() as connection:
        for name, rows in ROWS:
            for row in rows:
                values = dict(row)
                for moment in ("created_at", "updated_at"):
                    if moment in values:
                        values[moment] = datetime.strptime(values[moment], "%Y-%m-%d %H:%M:%S")
                connection.execute(sqlalchemy.insert(tables[name]).values(**values))
    ctx = context.get_admin_context()
    found = []
    for kind, versions in VERSIONS.items():
        cls = resources.get_resource_cls(kind)
        for loaded in sorted(cls.get_objects(ctx), key=lambda o: o.id):
            # As pushes and pulls do: each by its id, so that what is loaded is what they load.
            obj = cls.get_object(ctx, id=loaded.id)
            found.append({"kind": kind, "id": loaded.id, "versions": {
                version: ordered(obj.obj_to_primitive(target_version=version)) for version in versions}})
        gone = cls(id=NET).obj_to_primitive(target_version=versions[-1])
        found.append({"kind": kind, "id": NET, "deleted": ordered(gone)})
    rows = [[name, rows] for name, rows in ROWS]
    with open(OUT, "w", encoding="utf-8") as out:
        json.dump({"rows": rows, "objects": found}, out, indent=1, sort_keys=True, default=str)
        out.write("\n")


if __name__ == "__main__":
    sys.exit(main())
