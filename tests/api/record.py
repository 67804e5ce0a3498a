#!/usr/bin/env python3
"""Plays the scenarios against a Neutron and writes what it answered as transcripts.

The Neutron to record from is the Python one. Its API must take the identity headers as they
come: in its api-paste.ini, the `keystone` pipeline without the `authtoken` filter, so that
X-Roles, X-Project-Id and X-User-Id are what they are after a token was checked. README.md beside
this file has the settings. Everything found in that Neutron is deleted before each scenario.

    NEUTRON_URL=http://127.0.0.1:9696 [NEUTRON_SQL='mysql neutron'] record.py [SCENARIO...]

NEUTRON_SQL is a command that takes SQL for Neutron's database on its standard input: scenarios
with an AGENT line need it, because agents have no way in through the API.
"""
import http.client
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import urllib.parse
import uuid

HERE = pathlib.Path(__file__).resolve().parent
HOST = 'controller:9696'
HEADERS_KEPT = ('allow', 'content-type', 'location')

IDENTITIES = {
    'admin': ('admin,manager,member,reader', 'adadadadadadadadadadadadadadadad', 'admin-user'),
    'manager': ('manager,member,reader', 'd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0', 'manager-user'),
    'demo': ('member,reader', 'd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0', 'demo-user'),
    'reader': ('reader', 'd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0', 'reader-user'),
    'alt': ('member,reader', 'a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1', 'alt-user'),
    'service': ('service', '5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e', 'service-user'),
    'stranger': ('guest', 'd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0', 'stranger-user'),
}

UUID = re.compile(r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}')
MAC = re.compile(r'\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b')
IPV4 = re.compile(r'(?<![\d.])\d+\.\d+\.\d+\.\d+(?![\d/]|\.\d)')
TIME = re.compile(r'\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00|Z)?')
ADDRESS_KEYS = ('ip_address', 'floating_ip_address', 'fixed_ip_address')
TAG_KEYS = ('provider:segmentation_id', 'segmentation_id')
UNORDERED_INSIDE = ('security_group_rules',)


# ------------------------------------------------------------------ names for what is random

class Names:
    """Raw values that change from run to run, and the names they go by in the transcript."""

    def __init__(self, text):
        self.raw = {}      # name -> raw value
        self.name = {}     # raw value -> name
        self.ids = set(UUID.findall(text))
        spelled = re.sub(r'"(start|end)": "[^"]*"', '', text)  # what is drawn from a pool may be its edge
        self.literals = set(re.split(r'[^0-9A-Za-z:.]', spelled))
        self.fixed_numbers = {int(x) for x in re.findall(r'segmentation_id["=: ]+(\d+)', text)}

    def add(self, name, raw):
        self.raw[name] = raw
        self.name[raw] = name

    def learn(self, name, found):
        """A resource was made: its id is called <name>, its other random values by their path."""
        self.walk(name, '', found)

    def walk(self, name, path, value, key=''):
        if isinstance(value, dict):
            for k, v in value.items():
                if k not in UNORDERED_INSIDE:
                    self.walk(name, f'{path}.{k}', v, k)
        elif isinstance(value, list):
            for i, v in enumerate(value):
                self.walk(name, f'{path}.{i}', v, key)
        elif isinstance(value, str) and self.random(key, value):
            # An address is given to one after the other, an id never changes its owner.
            known = self.name.get(value)
            if known is None or (key in ADDRESS_KEYS and not known.startswith(name + '.')):
                self.add(name if path == '.id' else name + path, value)

    def random(self, key, value):
        if isinstance(value, int) and not isinstance(value, bool):
            return key in TAG_KEYS and value not in self.fixed_numbers
        if not isinstance(value, str) or self.literal(value) or value in self.ids:
            return False
        return bool(UUID.fullmatch(value) or MAC.fullmatch(value) or key in ADDRESS_KEYS)

    def literal(self, value):
        return value.split('/')[0] in self.literals

    def note(self, body):
        """Gateways follow from the CIDR, they are not drawn."""
        if isinstance(body, dict):
            for k, v in body.items():
                if k == 'gateway_ip' and isinstance(v, str):
                    self.literals.add(v)
                self.note(v)
        elif isinstance(body, list):
            for v in body:
                self.note(v)

    def hide(self, value, key=''):
        if isinstance(value, dict):
            return {k: self.hide(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self.hide(v, key) for v in value]
        if isinstance(value, str):
            return self.hide_text(value, key)
        if self.random(key, value):
            return '<number>'
        return value

    def hide_text(self, text, key=''):
        for raw in sorted(self.name, key=len, reverse=True):
            for form in {raw, raw.replace('.', '-')}:
                pattern = rf'(?<![0-9A-Za-z:.]){re.escape(form)}(?![0-9A-Za-z:]|\.\d)'
                text = re.sub(pattern, f'<{self.name[raw]}>', text)
        if key in ADDRESS_KEYS and '<' not in text and text and not self.literal(text):
            return '<address>'
        if key in ('hostname', 'fqdn'):
            text = re.sub(r'^host-([0-9a-f]+(?:-[0-9a-f]*)+)', self.hide_host, text)
        if key == 'message':
            text = IPV4.sub(lambda m: m[0] if m[0] in self.literals else '<address>', text)
        text = UUID.sub(lambda m: m[0] if m[0] in self.ids else '<id>', text)
        text = MAC.sub(lambda m: m[0] if m[0] in self.literals else '<mac>', text)
        return text if key == 'updated' else TIME.sub('<time>', text)

    def hide_host(self, match):
        plain = {match[1].replace('-', '.'), match[1].replace('-', ':')}
        return match[0] if plain & self.literals else 'host-<address>'

    def fill(self, text):
        """<name> in a request becomes the raw value."""
        return re.sub(r'<([a-z]\w*(?:\.[\w:]+)*)>', lambda m: str(self.raw.get(m[1], m[0])), text)


# ------------------------------------------------------------------ scenarios

class Step:
    def __init__(self, title, names, who, method, path, headers, body):
        self.title, self.names, self.who = title, names, who
        self.method, self.path, self.headers, self.body = method, path, headers, body


def parse(text):
    """The steps of a scenario; README.md has the grammar."""
    who, title, headers, loop, last = 'admin', '', {}, None, ''
    for line in joined(text):
        if line.startswith('#'):
            title = line[1:].strip()
        elif re.fullmatch(r'@\w+', line):
            who = line[1:].strip()
        elif line.startswith('+'):
            k, v = line[1:].split(':', 1)
            headers[k.strip()] = v.strip()
        elif line.startswith('*'):
            loop = [x.strip() for x in line[1:].split(' | ')]
        else:
            m = re.fullmatch(r'(?:([a-z]\w*(?:,[a-z]\w*)*) = )?(@\w+ )?([A-Z]+) (\S+)(?: (.*))?', line, re.S)
            if not m:
                sys.exit(f'not a step: {line}')
            for value in loop or [None]:
                path, body = ((x or '').replace('%', value) if value is not None else (x or '')
                              for x in (m[4], m[5]))
                path, body = (re.sub(r'\$(?:\{([\w.:]+)\}|(\w+(?:\.[\w:]+)*))',
                                     lambda m: f'<{m[1] or m[2]}>', x) for x in (path, body))
                if not path.startswith('/'):
                    path = '/v2.0/' + path
                yield Step(title or last, (m[1] or '').split(',') if m[1] else [],
                           m[2].strip()[1:] if m[2] else who, m[3], path, dict(headers), body)
            last = title or last
            title, headers, loop = '', {}, None


def joined(text):
    out = []
    for line in text.splitlines():
        if line.startswith((' ', '\t')) and out:
            out[-1] += ' ' + line.strip()
        elif line.strip():
            out.append(line.rstrip())
    return out


# ------------------------------------------------------------------ talking to Neutron

class Neutron:
    def __init__(self, url):
        u = urllib.parse.urlsplit(url)
        self.host, self.port = u.hostname, u.port or 80

    def ask(self, who, method, path, headers=None, body=''):
        c = http.client.HTTPConnection(self.host, self.port, timeout=float(os.environ.get('NEUTRON_TIMEOUT', '300')))
        c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        sent = {'Host': HOST}
        sent.update(identity(who))
        sent.update(headers or {})
        data = body.encode()
        if data and not any(k.lower() == 'content-type' for k in sent):
            sent['Content-Type'] = 'application/json'
        if data or method in ('POST', 'PUT'):
            sent['Content-Length'] = str(len(data))
        for k, v in sent.items():
            c.putheader(k, v)
        c.endheaders(data or None)
        r = c.getresponse()
        kept = {k.title(): v for k, v in r.getheaders() if k.lower() in HEADERS_KEPT}
        raw = r.read().decode()
        c.close()
        return r.status, kept, raw

    def json(self, method, path, body=None):
        status, _, raw = self.ask('admin', method, '/v2.0/' + path, body=json.dumps(body) if body else '')
        return json.loads(raw) if raw and status < 300 else {}

    def clean(self):
        """Deletes what the scenario before left."""
        for f in self.json('GET', 'floatingips').get('floatingips', []):
            self.json('DELETE', 'floatingips/' + f['id'])
        for r in self.json('GET', 'routers').get('routers', []):
            self.json('PUT', 'routers/' + r['id'], {'router': {'routes': [], 'external_gateway_info': {}}})
            for p in self.json('GET', 'ports?device_id=' + r['id']).get('ports', []):
                self.json('PUT', f'routers/{r["id"]}/remove_router_interface', {'port_id': p['id']})
            self.json('DELETE', 'routers/' + r['id'])
        for kind in ('rbac-policies', 'ports', 'networks', 'subnetpools', 'address-scopes', 'security-groups', 'agents',
                     'flavors'):
            for x in self.json('GET', kind).get(kind.replace('-', '_'), []):
                self.json('DELETE', f'{kind}/{x["id"]}')
        for q in self.json('GET', 'quotas').get('quotas', []):
            self.json('DELETE', 'quotas/' + q['project_id'])
        left = {k: n for k in ('networks', 'ports', 'subnets', 'routers', 'agents')
                if (n := len(self.json('GET', k).get(k.replace('-', '_'), [])))}
        if left:
            sys.exit(f'cannot clean: {left}')


def identity(who):
    if who == 'nobody':
        return {}
    roles, project, user = IDENTITIES[who]
    return {'X-Roles': roles, 'X-Project-Id': project, 'X-User-Id': user}


def register_agent(state):
    """What an agent's first state report leaves in the database."""
    quoted = {k: "'" + str(v).replace('\\', '\\\\').replace("'", "''") + "'" for k, v in {
        'id': uuid.uuid4(), 'agent_type': state['agent_type'], 'binary': state['binary'], 'topic': state['topic'],
        'host': state['host'], 'configurations': json.dumps(state['configurations']),
        'availability_zone': state.get('availability_zone', 'nova')}.items()}
    sql = ("insert into agents (id, agent_type, `binary`, topic, host, configurations, availability_zone,"
           " admin_state_up, created_at, started_at, heartbeat_timestamp, `load`) values ("
           + ', '.join(quoted.values()) + ", 1, utc_timestamp(), utc_timestamp(), utc_timestamp(), 0);")
    subprocess.run(shlex.split(os.environ['NEUTRON_SQL']), input=sql.encode(), check=True)


# ------------------------------------------------------------------ transcripts

def inner(body):
    """The resources inside an answer: of one, of a list, or of a bare object (router actions)."""
    if isinstance(body, dict) and len(body) == 1:
        (value,) = body.values()
        if isinstance(value, dict):
            return [value]
        if isinstance(value, list):
            return value
    return [body]


def record(neutron, scenario, out):
    text = scenario.read_text()
    steps = list(parse(text))
    names = Names('\n'.join(s.path + ' ' + s.body for s in steps))
    lines = []
    for n, step in enumerate(steps, 1):
        lines += [f'### {n}. {step.title}' if step.title else f'### {n}.']
        if step.names:
            lines += ['# as: ' + ' '.join(step.names)]
        if step.method == 'AGENT':
            register_agent(json.loads(step.body))
            lines += [f'AGENT {step.path}', '', step.body, '', 'HTTP 200', '', '']
            continue
        path, body = names.fill(step.path), names.fill(step.body)
        if re.search(r'[<>]', path):
            sys.exit(f'{scenario.name}: step {n}: no such name: {path}')
        status, headers, raw = neutron.ask(step.who, step.method, path, step.headers, body)
        lines += [f'{step.method} {step.path}']
        lines += [f'{k}: {v}' for k, v in {**identity(step.who), **step.headers}.items()]
        lines += ['', *([step.body, ''] if step.body else [])]
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if answer is not None:
            names.note(answer)
            if status < 300:
                for name, found in zip(step.names, inner(answer)):
                    names.learn(name, found)
            raw = json.dumps(names.hide(answer), indent=1, sort_keys=True, ensure_ascii=False)
        else:
            raw = names.hide_text(raw)
        lines += [f'HTTP {status}', *[f'{k}: {names.hide_text(v)}' for k, v in sorted(headers.items())], '']
        lines += [raw] if raw else []
        lines += ['', '']
        if status >= 500:
            print(f'{scenario.stem} {n}: {status} to {step.method} {path} {body[:200]}', file=sys.stderr)
        if step.names and status >= 300:
            sys.exit(f'{scenario.stem} {n}: {step.names} was not made: {status} {raw}')
    out.write_text('\n'.join(lines).rstrip() + '\n')
    return len(steps)


def main():
    neutron = Neutron(os.environ['NEUTRON_URL'])
    chosen = sys.argv[1:] or sorted(p.stem for p in (HERE / 'scenarios').glob('*.txt'))
    total = 0
    for name in chosen:
        neutron.clean()
        count = record(neutron, HERE / 'scenarios' / f'{name}.txt', HERE / 'transcripts' / f'{name}.http')
        print(f'{name}: {count} requests')
        total += count
    neutron.clean()
    print(f'{total} requests')


if __name__ == '__main__':
    main()
