#!/usr/bin/env python3
"""Records what python-neutronclient 9.0.0 prints and asks, into the *.json beside this file.

    record.py PATH-TO-PYTHONS-neutron [GROUP...]

A stub answers from the small world below; every case starts from a fresh one. The tests replay the recorded answers to
our command and compare its requests, its output and its exit code. Python's line that it is deprecated is left out.
"""
import concurrent.futures
import copy
import http.server
import json
import os
import shlex
import subprocess
import sys
import threading
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
P = "4c6eeb5dd6d04e0c9f5b8c1f3d2e7a90"
T = {"created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:06Z", "revision_number": 2}


def uid(kind, n):
    return "%08x-1111-4222-8333-%012x" % (kind * 0x1010101, n)


NET, SUB, PORT, ROUTER, SG, RULE, FIP, AGENT, POOL, SCOPE, RBAC = range(1, 12)


def net(n, name, subnets, **more):
    return {"id": uid(NET, n), "name": name, "tenant_id": P, "admin_state_up": True, "mtu": 1450, "status": "ACTIVE",
            "subnets": subnets, "shared": False, "availability_zone_hints": [], "availability_zones": ["nova"],
            "ipv4_address_scope": None, "ipv6_address_scope": None, "router:external": False, "description": "",
            "port_security_enabled": True, "is_default": False, "tags": [], **T, "project_id": P,
            "provider:network_type": "vxlan", "provider:physical_network": None, "provider:segmentation_id": 73,
            **more}


def sub(n, name, network, cidr, gateway, start, end, **more):
    return {"id": uid(SUB, n), "name": name, "tenant_id": P, "network_id": uid(NET, network), "ip_version": 4,
            "subnetpool_id": None, "enable_dhcp": True, "ipv6_ra_mode": None, "ipv6_address_mode": None,
            "gateway_ip": gateway, "cidr": cidr, "allocation_pools": [{"start": start, "end": end}],
            "host_routes": [], "dns_nameservers": [], "description": "", "service_types": [], "tags": [], **T,
            "project_id": P, **more}


def port(n, name, network, ips, **more):
    return {"id": uid(PORT, n), "name": name, "network_id": uid(NET, network), "tenant_id": P,
            "mac_address": "fa:16:3e:00:00:%02x" % n, "admin_state_up": True, "status": "ACTIVE", "device_id": "",
            "device_owner": "", "fixed_ips": [{"subnet_id": uid(SUB, s), "ip_address": ip} for s, ip in ips],
            "allowed_address_pairs": [], "extra_dhcp_opts": [], "security_groups": [uid(SG, 1)], "description": "",
            "binding:vnic_type": "normal", "binding:profile": {}, "binding:host_id": "",
            "binding:vif_type": "unbound", "binding:vif_details": {}, "port_security_enabled": True, "tags": [], **T,
            "project_id": P, **more}


def rule(n, group, direction, ethertype="IPv4", **more):
    return {"id": uid(RULE, n), "tenant_id": P, "security_group_id": uid(SG, group), "ethertype": ethertype,
            "direction": direction, "protocol": None, "port_range_min": None, "port_range_max": None,
            "remote_ip_prefix": None, "remote_address_group_id": None, "normalized_cidr": None,
            "remote_group_id": None, "standard_attr_id": n, "description": "", **T, "project_id": P, **more}


def world():
    rules = [rule(1, 1, "egress"), rule(2, 1, "egress", "IPv6"),
             rule(3, 1, "ingress", remote_group_id=uid(SG, 1)),
             rule(4, 1, "ingress", protocol="tcp", port_range_min=22, port_range_max=22, remote_ip_prefix="0.0.0.0/0"),
             rule(5, 2, "ingress", protocol="udp", port_range_min=1000, port_range_max=2000),
             rule(6, 2, "ingress", protocol="icmp", port_range_min=8, port_range_max=0),
             rule(7, 2, "ingress", protocol="icmp"), rule(8, 2, "ingress", protocol="112", remote_ip_prefix="10.0.0.0/8"),
             rule(9, 2, "ingress", "IPv6", protocol="tcp")]

    def group(n, name, description):
        mine = [r for r in rules if r["security_group_id"] == uid(SG, n)]
        return {"id": uid(SG, n), "name": name, "stateful": True, "tenant_id": P, "description": description,
                "shared": False, "security_group_rules": mine, "tags": [], **T, "project_id": P}

    def agent(n, kind, binary, alive, host="controller", zone="nova", **more):
        return {"id": uid(AGENT, n), "agent_type": kind, "binary": binary, "topic": "N/A", "host": host,
                "admin_state_up": True, "created_at": "2026-01-02 03:04:05", "started_at": "2026-01-02 03:04:05",
                "heartbeat_timestamp": "2026-01-02 03:05:35.123456", "description": None, "resources_synced": None,
                "availability_zone": zone, "alive": alive,
                "configurations": {"bridge_mappings": {}, "devices": n, "tunnel_types": ["vxlan"], "l2_population": True},
                **more}

    return {
        "networks": [
            net(1, "public", [uid(SUB, 1)], shared=True, **{"router:external": True, "provider:network_type": "flat",
                "provider:physical_network": "public", "provider:segmentation_id": None, "mtu": 1500}),
            net(2, "private", [uid(SUB, 2), uid(SUB, 3)]), net(3, "twin", []), net(4, "twin", []),
            net(5, "\u7f51\u7edc", [uid(SUB, 99)], description="tab\there", tags=["red", "blue"])],
        "subnets": [
            sub(1, "public", 1, "192.168.81.0/24", "192.168.81.254", "192.168.81.100", "192.168.81.200",
                dns_nameservers=["192.168.85.253"]),
            sub(2, "private", 2, "172.16.1.0/24", "172.16.1.1", "172.16.1.2", "172.16.1.254",
                dns_nameservers=["192.168.85.253", "8.8.8.8"],
                host_routes=[{"destination": "10.9.0.0/16", "nexthop": "172.16.1.9"}],
                allocation_pools=[{"start": "172.16.1.2", "end": "172.16.1.100"},
                                  {"start": "172.16.1.200", "end": "172.16.1.254"}]),
            sub(3, "private6", 2, "fd00:1::/64", "fd00:1::1", "fd00:1::2", "fd00:1::ffff", ip_version=6,
                ipv6_ra_mode="slaac", ipv6_address_mode="slaac")],
        "ports": [
            port(1, "", 1, [(1, "192.168.81.101")], device_id=uid(ROUTER, 1), device_owner="network:router_gateway"),
            port(2, "", 2, [(2, "172.16.1.1")], device_id=uid(ROUTER, 1), device_owner="network:router_interface"),
            port(3, "vm1", 2, [(2, "172.16.1.3"), (3, "fd00:1::f816:3eff:fe00:3")], **{
                "binding:vif_details": {"port_filter": True, "connectivity": "l2"}, "binding:host_id": "compute",
                "extra_dhcp_opts": [{"opt_name": "bootfile-name", "opt_value": "a\"b", "ip_version": 4}]})],
        "routers": [
            {"id": uid(ROUTER, 1), "name": "router", "tenant_id": P, "admin_state_up": True, "status": "ACTIVE",
             "external_gateway_info": {"network_id": uid(NET, 1), "external_fixed_ips": [
                 {"subnet_id": uid(SUB, 1), "ip_address": "192.168.81.101"}], "enable_snat": True},
             "description": "", "availability_zones": ["nova"], "distributed": False, "ha": False, "flavor_id": None,
             "availability_zone_hints": [], "routes": [{"destination": "10.8.0.0/16", "nexthop": "172.16.1.9"}],
             "tags": [], **T, "project_id": P},
            {"id": uid(ROUTER, 2), "name": "lonely", "tenant_id": P, "admin_state_up": False, "status": "ACTIVE",
             "external_gateway_info": None, "description": "", "availability_zones": [], "distributed": False,
             "ha": False, "flavor_id": None, "availability_zone_hints": [], "routes": [], "tags": [], **T,
             "project_id": P}],
        "security_groups": [group(1, "default", "Default security group"), group(2, "web", "it's web")],
        "security_group_rules": rules,
        "floatingips": [
            {"id": uid(FIP, 1), "tenant_id": P, "floating_ip_address": "192.168.81.105",
             "floating_network_id": uid(NET, 1), "router_id": uid(ROUTER, 1), "port_id": uid(PORT, 3),
             "fixed_ip_address": "172.16.1.3", "status": "ACTIVE", "description": "", "tags": [], **T,
             "project_id": P, "port_details": {"name": "vm1", "status": "ACTIVE"}, "port_forwardings": []},
            {"id": uid(FIP, 2), "tenant_id": P, "floating_ip_address": "192.168.81.106",
             "floating_network_id": uid(NET, 1), "router_id": None, "port_id": None, "fixed_ip_address": None,
             "status": "DOWN", "description": "", "tags": [], **T, "project_id": P, "port_details": None,
             "port_forwardings": []}],
        "agents": [
            agent(1, "L3 agent", "neutron-l3-agent", True, ha_state=None),
            agent(2, "Linux bridge agent", "neutron-linuxbridge-agent", False, "compute", None),
            agent(3, "DHCP agent", "neutron-dhcp-agent", True)],
        "extensions": [
            {"name": "Network MTU", "alias": "net-mtu", "description": "Provides MTU attribute.", "links": [],
             "updated": "2015-03-25T10:00:00-00:00"},
            {"name": "security-group", "alias": "security-group", "description": "The security groups extension.",
             "links": [], "updated": "2012-10-05T10:00:00-00:00"}],
        "subnetpools": [
            {"id": uid(POOL, 1), "name": "pool", "tenant_id": P, "prefixes": ["10.0.0.0/16", "10.2.0.0/16"],
             "default_quota": None, "min_prefixlen": "8", "max_prefixlen": "32", "default_prefixlen": "24",
             "address_scope_id": None, "ip_version": 4, "shared": False, "is_default": False, "description": "",
             "tags": [], **T, "project_id": P}],
        "address_scopes": [{"id": uid(SCOPE, 1), "name": "scope", "tenant_id": P, "ip_version": 4, "shared": False,
                            "project_id": P}],
        "rbac_policies": [{"id": uid(RBAC, 1), "tenant_id": P, "object_type": "network", "object_id": uid(NET, 2),
                           "target_tenant": "*", "action": "access_as_shared", "project_id": P}],
        "service_providers": [{"service_type": "L3_ROUTER_NAT", "name": "dvr", "default": False},
                              {"service_type": "L3_ROUTER_NAT", "name": "single_node", "default": True}],
        "availability_zones": [{"name": "nova", "resource": "network", "state": "available"}],
        "network_ip_availabilities": [{"network_id": uid(NET, 2), "network_name": "private", "tenant_id": P,
            "total_ips": 153, "used_ips": 3, "project_id": P, "subnet_ip_availability": [
                {"subnet_id": uid(SUB, 2), "subnet_name": "private", "cidr": "172.16.1.0/24", "ip_version": 4,
                 "total_ips": 153, "used_ips": 3}]}],
        "quotas": [{"network": 100, "subnet": 100, "port": 500, "router": 10, "floatingip": 50, "subnetpool": -1,
                    "security_group": 10, "security_group_rule": 100, "rbac_policy": 10, "tenant_id": P,
                    "project_id": P}],
    }


QUOTA = {"network": 100, "subnet": 100, "subnetpool": -1, "port": 500, "router": 10, "floatingip": 50,
         "rbac_policy": 10, "security_group": 10, "security_group_rule": 100}
SINGULAR = {"rbac_policies": "rbac_policy", "network_ip_availabilities": "network_ip_availability"}


def error(status, kind, message, detail=""):
    return status, {"NeutronError": {"type": kind, "message": message, "detail": detail}}


def answer(w, method, path, query, body):
    parts = [urllib.parse.unquote(p) for p in path.strip("/").split("/")][1:]
    if parts[0] == "quotas" and len(parts) > 1:
        if parts[1] == "tenant":
            return 200, {"tenant": {"tenant_id": P, "project_id": P}}
        if method == "DELETE":
            return 204, None
        return 200, {"quota": {**QUOTA, **(body or {}).get("quota", {})}}
    plural = parts[0].replace("-", "_")
    if plural not in w:
        return 404, {"message": "The resource could not be found.<br /><br />\n\n\n", "code": "404 Not Found",
                     "title": "Not Found"}
    singular = SINGULAR.get(plural, plural[:-1])
    rows = w[plural]
    if len(parts) > 2 and parts[0] == "agents":
        if method == "GET":
            kind = {"dhcp-networks": "networks", "l3-routers": "routers"}[parts[2]]
            return 200, {kind: w[kind][:2]}
        return (201, None) if method == "POST" else (204, None)
    if len(parts) > 2 and parts[2] in ("dhcp-agents", "l3-agents"):
        return 200, {"agents": [w["agents"][2 if parts[2] == "dhcp-agents" else 0]]}
    if len(parts) > 2 and parts[2].endswith("router_interface"):
        if body.get("subnet_id") == uid(SUB, 1):
            return error(400, "BadRequest", "Bad router request: Router already has a port on subnet %s." % uid(SUB, 1))
        return 200, {"id": parts[1], "tenant_id": P, "port_id": uid(PORT, 2), "network_id": uid(NET, 2),
                     "subnet_id": uid(SUB, 2), "subnet_ids": [uid(SUB, 2)], "project_id": P}
    if len(parts) > 2 and parts[2] == "tags":
        return (200, {"tags": body["tags"]}) if body else ((201, None) if method == "PUT" else (204, None))
    if len(parts) == 1 and method == "GET":
        return listing(rows, plural, path, query)
    if len(parts) == 1:
        made = body[singular]
        if made.get("name") == "nodata":
            return 201, {}
        if "cidr" in made and made["cidr"] == "bad":
            return error(400, "HTTPBadRequest", "Invalid input for cidr. Reason: 'bad' is not a valid IP subnet.")
        if made.get("name") == "over":
            return error(409, "OverQuota", "Quota exceeded for resources: ['network'].", "a detail")
        template = copy.deepcopy(rows[0])
        template.update(made)
        template["id"] = uid(15, 1)
        return 201, {singular: template}
    key = "alias" if plural == "extensions" else "network_id" if plural.startswith("network_ip") else "id"
    found = [r for r in rows if r[key] == parts[1]]
    if not found:
        return error(404, singular.title().replace("_", "") + "NotFound",
                     "%s %s could not be found." % (singular.capitalize(), parts[1]))
    if method == "GET":
        return 200, {singular: project(found[0], query)}
    if method == "PUT":
        if body.get("agent", {}).get("description") == "forbidden":
            return 403, {"NeutronError": {"type": "PolicyNotAuthorized", "detail": "",
                                          "message": "rule:update_agent is disallowed by policy"}}
        found[0].update(body[singular])
        return 200, {singular: found[0]}
    if singular == "network" and found[0]["name"] == "private":
        return error(409, "NetworkInUse", "Unable to complete operation on network %s. There are one or more ports "
                     "still in use on the network, id for these ports is: %s." % (parts[1], uid(PORT, 3)))
    rows.remove(found[0])
    return 204, None


def project(row, query):
    fields = query.get("fields")
    return {k: v for k, v in row.items() if k in fields} if fields else row


def listing(rows, plural, path, query):
    known = ("fields", "limit", "marker", "sort_key", "sort_dir", "verbose", "tags-any", "not-tags", "not-tags-any")
    for key, values in query.items():
        if key not in known:
            rows = [r for r in rows if key not in r or str(r[key]) in values]
    for key, direction in reversed(list(zip(query.get("sort_key", []), query.get("sort_dir", [])))):
        rows = sorted(rows, key=lambda r: str(r.get(key)), reverse=direction == "desc")
    links = []
    if "limit" in query:
        limit = int(query["limit"][0])
        if "marker" in query:
            ids = [r["id"] for r in rows]
            rows = rows[ids.index(query["marker"][0]) + 1:]
        if len(rows) > limit:
            rows = rows[:limit]
            rest = [(k, v) for k, vs in query.items() if k != "marker" for v in vs] + [("marker", rows[-1]["id"])]
            links = [{"rel": "next", "href": "http://neutron" + path + "?" + urllib.parse.urlencode(rest)}]
    result = {plural: [project(r, query) for r in rows]}
    if links:
        result[plural + "_links"] = links
    return 200, result


def serve():
    """A stub on a port of its own; returns (server, exchanges)."""
    w, exchanges = world(), []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self):
            size = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(size)
            body = json.loads(raw) if raw else None
            url = urllib.parse.urlsplit(self.path)
            headers = {}
            if url.path.startswith("/v3"):
                status, result = self.keystone(body)
                headers["X-Subject-Token"] = "token"
            else:
                status, result = answer(w, self.command, url.path, urllib.parse.parse_qs(url.query), body)
                headers["X-OpenStack-Request-ID"] = "req-00000000-0000-4000-8000-%012d" % (len(exchanges) + 1)
                exchange = {"request": "%s %s" % (self.command, self.path)}
                if body is not None:
                    exchange["body"] = body
                exchange["status"] = status
                if result is not None:
                    exchange["answer"] = copy.deepcopy(result)
                exchanges.append(exchange)
            text = b"" if result is None else json.dumps(result).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def keystone(self, body):
            me = "http://127.0.0.1:%d" % self.server.server_port
            if self.command == "GET":
                return 200, {"version": {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": me + "/v3/"}],
                                         "media-types": []}}
            role = body["auth"]["identity"]["password"]["user"]["name"].replace("demo", "member")
            return 201, {"token": {"methods": ["password"], "user": {"id": "u", "name": "admin", "domain": {
                "id": "default", "name": "Default"}}, "expires_at": "2099-01-01T00:00:00.000000Z",
                "issued_at": "2026-01-01T00:00:00.000000Z", "roles": [{"id": "r", "name": role}], "project": {
                "id": P, "name": "admin", "domain": {"id": "default", "name": "Default"}}, "catalog": [
                {"type": "network", "name": "neutron", "id": "s", "endpoints": [{"interface": "public", "id": "e",
                 "region": "RegionOne", "region_id": "RegionOne", "url": me}]}]}}

        do_GET = do_POST = do_PUT = do_DELETE = do

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, exchanges


def record(neutron, line):
    server, exchanges = serve()
    url = "http://127.0.0.1:%d" % server.server_port
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore"}
    ids = dict(net=uid(NET, 2), sub=uid(SUB, 2), port=uid(PORT, 3), router=uid(ROUTER, 1), fip=uid(FIP, 1),
               agent=uid(AGENT, 1), dhcp=uid(AGENT, 3), rule=uid(RULE, 4), sg=uid(SG, 2), rbac=uid(RBAC, 1),
               gone=uid(14, 1))
    for name, value in ids.items():
        line = line.replace("{%s}" % name, value)
    admin = line.startswith("admin: ")
    args = shlex.split(line.removeprefix("admin: "))
    env.update(OS_AUTH_URL=url + "/v3", OS_USERNAME="admin" if admin else "demo", OS_PASSWORD="x",
               OS_PROJECT_NAME="demo", OS_USER_DOMAIN_ID="default", OS_PROJECT_DOMAIN_ID="default")
    done = subprocess.run([neutron, *args], env=env, capture_output=True, stdin=subprocess.DEVNULL,
                          cwd="/")
    server.shutdown()
    err = [l for l in done.stderr.decode().splitlines() if "neutron CLI is deprecated" not in l]
    return {"args": args, **({"admin": True} if admin else {}), "exchanges": exchanges,
            "out": done.stdout.decode().split("\n"), "err": err, "code": done.returncode}


def main():
    neutron, wanted = sys.argv[1], sys.argv[2:]
    groups, group = {}, None
    for line in open(os.path.join(HERE, "cases.txt"), encoding="utf-8"):
        line = line.rstrip("\n")
        if line.startswith("["):
            group = groups.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            group.append(line)
    for name, lines in groups.items():
        if wanted and name not in wanted:
            continue
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            cases = list(pool.map(lambda l: record(neutron, l), lines))
        with open(os.path.join(HERE, name + ".json"), "w", encoding="utf-8") as out:
            json.dump(cases, out, indent=1, ensure_ascii=False)
            out.write("\n")
        print(name, len(cases))


main()
