#!/usr/bin/env python3
"""One database, two programs: Python Neutron 29 and neutron-rs take turns on it.

1. Python makes the tables and fills them; ours serves them: every body must be equal. Ours changes and deletes all.
2. Ours makes the tables and fills them; Python's neutron-db-manage finds nothing to do, Python serves them: every body must
   be equal. Python changes and deletes all.
Afterwards both databases must hold the same numbers of rows.

What may differ is listed in docs/differences.md: "Attributes that are not answered", and "One database, two programs".

    LAB_MARIADB_URL=mysql://root:PASSWORD@HOST:PORT LAB_RABBITMQ_URL=amqp://… run.py NEUTRON-RS-PROGRAM PYTHON-VENV
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ADMIN, DEMO, ALT = 'ad' * 16, 'd0' * 16, 'a1' * 16
IDENTITIES = {
    'admin': {'X-Roles': 'admin,manager,member,reader', 'X-Project-Id': ADMIN, 'X-User-Id': 'admin-user'},
    'demo': {'X-Roles': 'member,reader', 'X-Project-Id': DEMO, 'X-User-Id': 'demo-user'},
    'nova': {'X-Roles': 'admin,service,member,reader', 'X-Project-Id': ADMIN, 'X-User-Id': 'nova-user'},
    'alt': {'X-Roles': 'member,reader', 'X-Project-Id': ALT, 'X-User-Id': 'alt-user'},
}
LISTS = ['networks', 'subnets', 'ports', 'routers', 'floatingips', 'security-groups', 'security-group-rules',
         'subnetpools', 'address-scopes', 'rbac-policies', 'quotas', 'default-security-group-rules',
         'network-ip-availabilities', 'availability_zones', 'flavors']

# What is filled in: who asks, the name of what comes back, method, path, body. $name is its id.
FILL = '''
admin scope     POST address-scopes {"address_scope": {"name": "scope", "ip_version": 4, "shared": true}}
admin pool      POST subnetpools {"subnetpool": {"name": "pool", "prefixes": ["10.64.0.0/16"], "default_prefixlen": 24, "address_scope_id": "$scope", "shared": true}}
demo  pool6     POST subnetpools {"subnetpool": {"name": "pool6", "prefixes": ["fd00:64::/48"], "default_prefixlen": 64, "description": "sechs"}}
admin ext       POST networks {"network": {"name": "ext", "router:external": true, "provider:network_type": "flat", "provider:physical_network": "public", "mtu": 1400}}
admin extsub    POST subnets {"subnet": {"network_id": "$ext", "ip_version": 4, "cidr": "203.0.113.0/24", "enable_dhcp": false, "allocation_pools": [{"start": "203.0.113.50", "end": "203.0.113.99"}], "gateway_ip": "203.0.113.1"}}
admin vlan      POST networks {"network": {"name": "vlan", "provider:network_type": "vlan", "provider:physical_network": "physnet1", "provider:segmentation_id": 101, "shared": true, "project_id": "$DEMO"}}
demo  net       POST networks {"network": {"name": "net", "description": "Ein Netz: größer als 'das' \\\\ andere; `x`"}}
demo  nosec     POST networks {"network": {"name": "nosec", "port_security_enabled": false, "admin_state_up": false, "dns_domain": "example.org."}}
demo  sub       POST subnets {"subnet": {"network_id": "$net", "name": "sub", "ip_version": 4, "cidr": "10.1.0.0/24", "dns_nameservers": ["9.9.9.9", "1.1.1.1"], "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.1.0.9"}]}}
demo  sub6      POST subnets {"subnet": {"network_id": "$net", "ip_version": 6, "cidr": "fd00:1::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}}
demo  pooled    POST subnets {"subnet": {"network_id": "$nosec", "ip_version": 4, "subnetpool_id": "$pool", "name": "pooled"}}
admin pooled6   POST subnets {"subnet": {"network_id": "$vlan", "ip_version": 6, "subnetpool_id": "$pool6", "gateway_ip": null, "project_id": "$DEMO"}}
admin vlansub   POST subnets {"subnet": {"network_id": "$vlan", "ip_version": 4, "cidr": "10.2.0.0/24", "service_types": ["compute:nova"], "project_id": "$DEMO"}}
demo  group     POST security-groups {"security_group": {"name": "group", "description": "web"}}
demo  loose     POST security-groups {"security_group": {"name": "loose", "stateful": false}}
demo  rule1     POST security-group-rules {"security_group_rule": {"security_group_id": "$group", "direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 443, "remote_ip_prefix": "192.0.2.0/24"}}
demo  rule2     POST security-group-rules {"security_group_rule": {"security_group_id": "$group", "direction": "ingress", "protocol": "icmp", "port_range_min": 8, "remote_group_id": "$group"}}
demo  rule3     POST security-group-rules {"security_group_rule": {"security_group_id": "$loose", "direction": "egress", "ethertype": "IPv6", "protocol": "58", "description": "v6"}}
demo  vm1       POST ports {"port": {"network_id": "$net", "name": "vm1", "device_id": "11111111-1111-4111-8111-111111111111", "device_owner": "compute:nova", "security_groups": ["$group"]}}
demo  vm2       POST ports {"port": {"network_id": "$net", "name": "VM2", "fixed_ips": [{"subnet_id": "$sub", "ip_address": "10.1.0.77"}], "dns_name": "vm2", "extra_dhcp_opts": [{"opt_name": "bootfile-name", "opt_value": "pxe.0"}]}}
nova  bound     POST ports {"port": {"network_id": "$net", "name": "bound", "project_id": "$DEMO", "binding:host_id": "nowhere", "binding:profile": {"a": 1}, "mac_address": "fa:16:3e:00:11:22", "allowed_address_pairs": [{"ip_address": "10.1.0.200"}, {"ip_address": "10.5.0.0/16", "mac_address": "fa:16:3e:00:11:33"}]}}
demo  bare      POST ports {"port": {"network_id": "$net", "fixed_ips": [], "admin_state_up": false}}
admin trusted   POST ports {"port": {"network_id": "$vlan", "name": "trusted", "port_security_enabled": false, "security_groups": [], "project_id": "$DEMO"}}
demo  onnosec   POST ports {"port": {"network_id": "$nosec"}}
demo  router    POST routers {"router": {"name": "router", "description": "r", "external_gateway_info": {"network_id": "$ext"}}}
admin fixed     POST routers {"router": {"name": "fixed", "project_id": "$DEMO", "external_gateway_info": {"network_id": "$ext", "enable_snat": false, "external_fixed_ips": [{"ip_address": "203.0.113.206"}]}}}
demo  -         PUT routers/$router/add_router_interface {"subnet_id": "$sub"}
demo  -         PUT routers/$router/add_router_interface {"subnet_id": "$sub6"}
demo  via       POST ports {"port": {"network_id": "$nosec", "name": "via", "fixed_ips": [{"subnet_id": "$pooled"}]}}
demo  -         PUT routers/$router/add_router_interface {"port_id": "$via"}
demo  -         PUT routers/$router {"router": {"routes": [{"destination": "172.20.0.0/16", "nexthop": "10.1.0.5"}]}}
demo  fip1      POST floatingips {"floatingip": {"floating_network_id": "$ext", "port_id": "$vm1", "description": "web"}}
demo  fip2      POST floatingips {"floatingip": {"floating_network_id": "$ext"}}
admin fip3      POST floatingips {"floatingip": {"floating_network_id": "$ext", "project_id": "$DEMO", "floating_ip_address": "203.0.113.208", "port_id": "$vm2", "fixed_ip_address": "10.1.0.77"}}
admin grant1    POST rbac-policies {"rbac_policy": {"object_type": "network", "object_id": "$net", "action": "access_as_shared", "target_tenant": "$ALT"}}
demo  grant2    POST rbac-policies {"rbac_policy": {"object_type": "security_group", "object_id": "$group", "action": "access_as_shared", "target_tenant": "$ALT"}}
admin grant3    POST rbac-policies {"rbac_policy": {"object_type": "network", "object_id": "$nosec", "action": "access_as_external", "target_tenant": "$ALT"}}
alt   guest     POST ports {"port": {"network_id": "$net", "name": "guest"}}
admin -         PUT quotas/$ALT {"quota": {"port": 7, "network": -1}}
demo  -         PUT networks/$net/tags {"tags": ["red", "Blue"]}
demo  -         PUT ports/$vm1/tags/one -
demo  -         PUT ports/$vm2 {"port": {"name": "renamed", "description": "changed"}}
demo  gone      POST networks {"network": {"name": "gone"}}
demo  -         DELETE networks/$gone -
'''

CHANGE = '''
demo  PUT networks/$net {"network": {"name": "NET", "description": ""}}
admin PUT networks/$vlan {"network": {"mtu": 1300}}
demo  PUT subnets/$sub {"subnet": {"dns_nameservers": ["8.8.8.8"], "host_routes": [], "name": "s2"}}
demo  PUT ports/$vm1 {"port": {"security_groups": ["$loose"], "name": "vm1b"}}
admin PUT ports/$bound {"port": {"binding:host_id": "elsewhere", "allowed_address_pairs": []}}
demo  PUT ports/$bare {"port": {"fixed_ips": [{"subnet_id": "$sub"}], "admin_state_up": true}}
demo  PUT routers/$router {"router": {"routes": [], "name": "r2"}}
demo  PUT floatingips/$fip1 {"floatingip": {"port_id": null}}
demo  PUT floatingips/$fip2 {"floatingip": {"port_id": "$vm1"}}
demo  PUT security-groups/$group {"security_group": {"name": "gruppe"}}
demo  PUT subnetpools/$pool6 {"subnetpool": {"prefixes": ["fd00:64::/48", "fd00:65::/48"]}}
admin PUT address-scopes/$scope {"address_scope": {"name": "weite"}}
admin PUT rbac-policies/$grant3 {"rbac_policy": {"target_tenant": "*"}}
demo  PUT networks/$net/tags {"tags": ["green"]}
demo  POST ports {"port": {"network_id": "$net", "name": "later"}}
demo  POST security-group-rules {"security_group_rule": {"security_group_id": "$group", "direction": "ingress", "protocol": "udp", "port_range_min": 53, "port_range_max": 53}}
'''


FAILED = []


def fail(text):
    sys.exit('\n'.join([*FAILED, f'onedb: {text}']))


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Database:
    """A database on the server of LAB_MARIADB_URL, by PyMySQL of the virtual environment."""

    def __init__(self, name, python):
        self.name, self.python = name, python
        self.base = os.environ['LAB_MARIADB_URL'].rstrip('/')

    def url(self):
        return self.base.replace('mysql://', 'mysql+pymysql://') + f'/{self.name}?charset=utf8'

    def sql(self, *statements):
        code = '''
import json, sys, urllib.parse, pymysql
u = urllib.parse.urlsplit(sys.argv[1])
c = pymysql.connect(host=u.hostname, port=u.port, user=u.username, password=urllib.parse.unquote(u.password or ''), autocommit=True)
k = c.cursor()
for s in sys.argv[2:]: k.execute(s)
print(json.dumps(k.fetchall(), default=str))
'''
        done = subprocess.run([self.python, '-c', code, self.base, *statements], check=True, capture_output=True)
        return json.loads(done.stdout)

    def make(self):
        self.sql(f'DROP DATABASE IF EXISTS {self.name}', f'CREATE DATABASE {self.name}')

    def drop(self):
        self.sql(f'DROP DATABASE IF EXISTS {self.name}')

    def rows(self):
        tables = self.sql('SELECT table_name FROM information_schema.tables WHERE table_type = "BASE TABLE" AND '
                          f'table_schema = "{self.name}" AND table_name NOT LIKE "neutronrs%" ORDER BY 1')
        # Rows of quotausages are what our server makes requests of a project wait for; Python's makes none by default.
        tables = [(t,) for (t,) in tables if t != 'quotausages']
        counts = ' UNION ALL '.join(f'SELECT "{t}", COUNT(*) FROM {self.name}.`{t}`' for (t,) in tables)
        return {t: n for t, n in self.sql(counts) if n}


class Program:
    """A server, Python's or ours, on a database."""

    def __init__(self, who, work, database, rs, venv):
        self.who, self.port = who, free_port()
        self.folder = work / f'{who}-{database.name}'
        self.folder.mkdir(exist_ok=True)
        self.log = open(self.folder / 'log', 'ab')
        self.conf = self.folder / 'neutron.conf'
        transport = os.environ['LAB_RABBITMQ_URL'].replace('amqp://', 'rabbit://') if who == 'rs' else 'fake://'
        drivers = 'linuxbridge,l2population' if who == 'rs' else 'openvswitch,l2population'
        self.conf.write_text((HERE / 'neutron.conf').read_text().format(
            port=self.port, url=database.url(), auth='noauth' if who == 'rs' else 'keystone', transport=transport, drivers=drivers,
            state=self.folder, paste=self.folder / 'api-paste.ini'))
        paste = (pathlib.Path(venv) / 'etc/neutron/api-paste.ini').read_text()
        (self.folder / 'api-paste.ini').write_text(paste.replace(' authtoken keystonecontext', ' keystonecontext'))
        self.rs, self.venv, self.process = rs, venv, None

    def manage(self, *words):
        tool = [self.rs, 'db'] if self.who == 'rs' else [f'{self.venv}/bin/neutron-db-manage']
        done = subprocess.run([*tool, '--config-file', str(self.conf), *words], capture_output=True, text=True)
        if done.returncode:
            fail(f'{self.who}: db-manage {words}: {done.stdout}{done.stderr[-2000:]}')
        return done.stdout

    def __enter__(self):
        env = dict(os.environ)
        if self.who == 'rs':
            command = [self.rs, 'server', '--config-file', str(self.conf)]
        else:
            env.update(OS_NEUTRON_CONFIG_DIR=str(self.folder), OS_NEUTRON_CONFIG_FILES='neutron.conf')
            command = [f'{self.venv}/bin/python', str(HERE / 'serve.py'), str(self.port)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=env, cwd=self.folder)
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                if self.ask('admin', 'GET', 'networks')[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.2)
        self.__exit__()
        fail(f'{self.who} does not start: {(self.folder / "log").read_text()[-3000:]}')

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ask(self, who, method, path, body=None):
        link = http.client.HTTPConnection('127.0.0.1', self.port, timeout=120)
        headers = dict(IDENTITIES[who], **{'Content-Type': 'application/json'})
        link.request(method, f'/v2.0/{path}', None if body is None else json.dumps(body), headers)
        answer = link.getresponse()
        text = answer.read().decode()
        link.close()
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError:
            return answer.status, text

    def must(self, who, method, path, body=None):
        status, answer = self.ask(who, method, path, body)
        if status >= 300:
            fail(f'{self.who}: {method} {path} {json.dumps(body)} as {who}: {status} {answer}')
        return answer


def fill(program):
    names = {'DEMO': DEMO, 'ALT': ALT}
    put = lambda text: re.sub(r'\$(\w+)', lambda m: names[m[1]], text)  # noqa: E731
    for line in FILL.strip().splitlines():
        who, name, method, path, body = line.split(None, 4)
        answer = program.must(who, method, put(path), None if body == '-' else json.loads(put(body)))
        if name != '-':
            names[name] = next(iter(answer.values()))['id']
    return names


def change(program, names, failed):
    put = lambda text: re.sub(r'\$(\w+)', lambda m: names[m[1]], text)  # noqa: E731
    for line in CHANGE.strip().splitlines():
        who, method, path, body = line.split(None, 3)
        status, answer = program.ask(who, method, put(path), json.loads(put(body)))
        if status >= 300:
            failed.append(f'{program.who}: {line}: {status} {answer}')


def remove(program):
    """Everything but default groups, in the order in which a user has to."""
    every = lambda path: next(iter(program.must('admin', 'GET', path).values()))  # noqa: E731
    for fip in every('floatingips'):
        program.must('admin', 'DELETE', f'floatingips/{fip["id"]}')
    for port in every('ports?device_owner=network:router_interface'):
        path = f'routers/{port["device_id"]}/remove_router_interface'
        program.must('admin', 'PUT', path, {'port_id': port['id']})
    for router in every('routers'):
        program.must('admin', 'DELETE', f'routers/{router["id"]}')
    for port in every('ports'):
        program.must('admin', 'DELETE', f'ports/{port["id"]}')
    for kind in 'subnets', 'networks', 'rbac-policies', 'subnetpools', 'address-scopes':
        for one in every(kind):
            # Shared address scopes and pools carry a grant that goes with them, or was removed with its network.
            status, answer = program.ask('admin', 'DELETE', f'{kind}/{one["id"]}')
            if status >= 300 and not (kind == 'rbac-policies' and status in (404, 409)):
                fail(f'{program.who}: DELETE {kind}/{one["id"]}: {status} {answer}')
    for group in every('security-groups'):
        if group['name'] != 'default':
            program.must('admin', 'DELETE', f'security-groups/{group["id"]}')
    for project in ALT,:
        program.must('admin', 'DELETE', f'quotas/{project}')


def singular(name):
    name = name.replace('-', '_')
    return name[:-3] + 'y' if name.endswith('ies') else name.removesuffix('s')


class Wanted:
    """The differences that docs/differences.md lists."""

    def __init__(self):
        self.attributes, self.bodies, heading = set(), [], ''
        for line in (ROOT / 'docs/differences.md').read_text().splitlines():
            if line.startswith('## '):
                heading = line[3:]
            cells = [cell.strip() for cell in line.strip('| ').split(' | ')]
            if not line.startswith('| `'):
                continue
            codes = re.findall(r'`([^`]*)`', cells[1])
            if heading == 'Attributes that are not answered':
                self.attributes |= {(cells[0].strip('`'), name) for name in codes}
            if heading == 'One database, two programs':
                self.bodies += [(cells[0].strip('`'), name) for name in codes]
        self.used = set()

    def lacks(self, inside, name):
        one = singular(inside)
        return (one, name) in self.attributes

    def differs(self, inside, name):
        one = singular(inside)
        hit = (one, name)
        if hit in self.bodies:
            self.used.add(hit)
            return True
        return False


def key(value):
    if not isinstance(value, dict):
        return json.dumps(value)
    names = [value[name] for name in ('id', 'subnet_id', 'network_id') if isinstance(value.get(name), str)]
    return ' '.join([*names, json.dumps(value, sort_keys=True)])


def compare(ours, theirs, inside, path, wanted, out):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted(set(theirs) | set(ours)):
            if name in theirs and name not in ours:
                if not wanted.lacks(inside, name) and not wanted.differs(inside, name):
                    out.append(f'{path}.{name}: ours lacks it, Python says {theirs[name]!r}')
            elif name not in theirs:
                if not wanted.differs(inside, name):
                    out.append(f'{path}.{name}: Python lacks it, ours says {ours[name]!r}')
            else:
                deeper = name if isinstance(theirs[name], (list, dict)) and theirs[name] else inside
                if ours[name] != theirs[name] and wanted.differs(inside, name):
                    continue
                compare(ours[name], theirs[name], deeper, f'{path}.{name}', wanted, out)
    elif isinstance(theirs, list) and isinstance(ours, list):
        ours, theirs = sorted(ours, key=key), sorted(theirs, key=key)
        ids = lambda values: [x['id'] for x in values if isinstance(x, dict) and 'id' in x]  # noqa: E731
        if ids(ours) != ids(theirs) or len(ours) != len(theirs):
            out.append(f'{path}: ours {len(ours)} {ours!r}, Python {len(theirs)} {theirs!r}'[:1500])
            return
        for number, (a, b) in enumerate(zip(ours, theirs)):
            compare(a, b, inside, f'{path}[{number}]', wanted, out)
    elif ours != theirs:
        out.append(f'{path}: ours {ours!r}, Python {theirs!r}')


def bodies(program):
    found = {}
    for who in IDENTITIES:
        for path in LISTS:
            status, answer = program.ask(who, 'GET', path)
            found[f'{who} {path}'] = (status, answer)
            items = answer.get(path.replace('-', '_')) if isinstance(answer, dict) else None
            for item in items or []:
                if 'id' in item and path not in ('quotas',):
                    found[f'{who} {path}/{item["id"]}'] = program.ask(who, 'GET', f'{path}/{item["id"]}')
    return found


def hold(ours, theirs, wanted):
    out = []
    for path in sorted(set(ours) | set(theirs)):
        (a, x), (b, y) = ours.get(path, (None, None)), theirs.get(path, (None, None))
        if a is None or b is None:
            continue  # An element that only one list has: the list itself differs.
        if a != b:
            out.append(f'{path}: status ours {a}, Python {b}: {x} | {y}'[:1500])
            continue
        inside = path.split()[1].split('/')[0].replace('-', '_')
        compare(x, y, inside, path, wanted, out)
    return out


def main():
    rs, venv = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    work = pathlib.Path(tempfile.mkdtemp(prefix='onedb-'))
    python = f'{venv}/bin/python'
    wanted, failed, counts = Wanted(), FAILED, []
    for first, second in ('py', 'rs'), ('rs', 'py'):
        database = Database(f'onedb_{first}_{os.getpid()}', python)
        database.make()
        try:
            maker, taker = (Program(who, work, database, rs, venv) for who in (first, second))
            maker.manage('upgrade', 'head')
            current = maker.manage('current')
            with maker:
                names = fill(maker)
                before = bodies(maker)
            print(f'{first} has filled {database.name}: {len(before)} answers', flush=True)
            taker.manage('upgrade', 'heads')
            if taker.manage('current') != current:
                fail(f'current: {first} says {current}, {second} {taker.manage("current")}')
            with taker:
                after = bodies(taker)
                found = hold(before, after, wanted) if first == 'rs' else hold(after, before, wanted)
                print(f'{second} serves them: {len(after)} answers, {len(found)} differences', flush=True)
                failed += found
                change(taker, names, failed)
                remove(taker)
                print(f'{second} has changed and deleted them', flush=True)
            with maker:
                left = [path for path in LISTS[:5] if next(iter(maker.must('admin', 'GET', path).values()))]
                if left:
                    failed.append(f'{first} still finds {left} after {second} has deleted them')
            counts.append((second, database.rows()))
        finally:
            database.drop()
    (a, left), (b, right) = counts
    if left != right:
        differ = {t: (left.get(t, 0), right.get(t, 0)) for t in {*left, *right} if left.get(t) != right.get(t)}
        failed.append(f'rows that are left: {a}, {b}: {differ}')
    unused = set(wanted.bodies) - wanted.used
    failed += [f'docs/differences.md: not needed any more: {one}' for one in sorted(unused)]
    if failed:
        fail(f'{len(failed)} differences; logs in {work}')
    shutil.rmtree(work)
    print('one database, two programs: no difference that docs/differences.md does not list')


main()
