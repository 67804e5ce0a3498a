"""What Neutron 29's policy says, from its own code: run by tools/policy with Neutron's Python.

usage: policy.py deprecated FILE              what rules were before: rule, older name, older check
       policy.py expected OPERATIONS FILE     what each caller may do of the operations listed in a file
"""
import importlib
import json
import pkgutil
import re
import sys

import stevedore

# Who asks: project and roles, as Keystone implies them.
CALLERS = {
    'stranger': ('strangers', ['member', 'reader']),
    'reader': ('demo', ['reader']),
    'member': ('demo', ['member', 'reader']),
    'manager': ('demo', ['manager', 'member', 'reader']),
    'service': ('service', ['service']),
    'admin': ('admin', ['admin', 'manager', 'member', 'reader']),
}


def rules():
    loaded = stevedore.extension.ExtensionManager('neutron.policies', invoke_on_load=True)
    return sorted((rule for extension in loaded for rule in extension.obj), key=lambda rule: rule.name)


def deprecated(path):
    with open(path, 'w') as out:
        for rule in rules():
            old = rule.deprecated_rule
            if old and (old.name != rule.name or old.check_str != rule.check_str):
                name = '' if old.name == rule.name else old.name
                out.write(f'{rule.name}\t{name}\t{old.check_str}\n')


def attributes():
    """All attributes that extensions add, as a running server has them."""
    from neutron_lib.api import attributes, definitions
    from neutron import extensions
    for package in definitions, extensions:
        for found in pkgutil.iter_modules(package.__path__):
            try:
                module = importlib.import_module(f'{package.__name__}.{found.name}')
            except Exception:  # an extension whose driver is not there
                continue
            for name in 'RESOURCE_ATTRIBUTE_MAP', 'EXTENDED_ATTRIBUTES_2_0':
                for collection, members in (getattr(module, name, None) or {}).items():
                    if isinstance(members, dict):
                        attributes.RESOURCES.setdefault(collection, {}).update(members)


class Rows:
    """The rows that operations are tried on, as rules see them."""

    def __init__(self):
        self.rows = {}

    def add(self, name, body, facts):
        row = {'shared': False, 'router:external': False, 'device_owner': ''} | body | facts
        row.update(id=f'@{name}', tenant_id=row.get('project_id'))
        row.setdefault('project_id', None)
        if name.startswith('port.'):
            # A port says nothing of being shared: rules ask its network.
            del row['shared']
        self.rows[row['id']] = row

    # what OwnerCheck and FieldCheck ask the plugin
    def get_network(self, ctx, id, fields=None):
        from neutron_lib import exceptions
        row = self.rows[id]
        if not (ctx.is_admin or row['project_id'] == ctx.project_id or row['shared'] or row['router:external']):
            raise exceptions.NetworkNotFound(net_id=id)
        return row

    def get_security_group(self, ctx, id, fields=None):
        return self.rows[id]


def columns(path):
    with open(path) as lines:
        for line in lines:
            if line.strip() and not line.startswith('#'):
                yield re.split(r' {2,}', line.rstrip('\n'))


def target_of(rows, case, rule, request, body, ctx):
    """The action and the target that upstream's controllers hand to policy."""
    method, path = request.split(' ')
    row = dict(rows.rows[case]) if case else {}
    named = re.search(r'@[\w.]+', path)
    if named and not case and method == 'GET':
        row = dict(rows.rows[named.group()])
    simple = re.fullmatch(r'[\w-]+(/\{row\})?', path)
    if not simple or method == 'GET' or rule.endswith(':tags'):
        if rule == 'create_default_security_group':
            row = {'project_id': 'other'}
        if rule.endswith('_quota'):
            row = {'project_id': ctx.project_id}
        return rule, row
    action = rule.split(':')[0]
    if method == 'POST':
        return action, {'project_id': ctx.project_id, 'tenant_id': ctx.project_id} | body
    if method == 'PUT':
        from neutron_lib import constants
        return action, row | body | {constants.ATTRIBUTES_TO_UPDATE: list(body)}
    return action, row


def allowed(rows, case, rule, request, body, ctx):
    from neutron import policy
    from neutron_lib import exceptions
    from oslo_policy import policy as oslo_policy
    action, target = target_of(rows, case, rule, request, body, ctx)
    pluralized = request.split(' ')[1].split('/')[0].replace('-', '_')
    try:
        if rule.startswith('get_') and action.count(':') and not rule.endswith(':tags'):
            # An attribute is shown of what is shown.
            policy.enforce(ctx, action.split(':')[0], target, pluralized=pluralized)
        policy.enforce(ctx, action, target, pluralized=pluralized)
    except (oslo_policy.PolicyNotAuthorized, exceptions.NotFound):
        return 'n'
    return 'y'


def expected(operations, path):
    from neutron import policy
    from neutron_lib import context
    from neutron_lib.plugins import constants, directory
    from oslo_config import cfg
    cfg.CONF([], project='neutron')
    attributes()
    rows = Rows()
    directory.add_plugin(constants.CORE, rows)
    # Upstream keeps what it read of parents for seconds; here nothing changes in between.
    policy.init()
    callers = {name: context.Context(user_id='u', project_id=project, roles=list(roles))
               for name, (project, roles) in CALLERS.items()}
    with open(path, 'w') as out:
        out.write(f'# written by tools/policy from Neutron 29.0.0: {" ".join(CALLERS)}\n')
        for line in columns(operations):
            if line[0] == 'row':
                rows.add(line[1], json.loads(line[2]), json.loads(line[3]) if len(line) > 3 else {})
            elif line[0] == 'op':
                rule, cases, request = line[1:4]
                body = json.loads(line[4]) if len(line) > 4 and line[4].startswith('{') else {}
                resource = rule.split(':')[0].split('_', 1)[1]
                if resource.startswith('router_interface') or resource == 'extraroutes':
                    resource = 'router'
                if resource == 'prefixes':
                    resource = 'subnetpool'
                for case in cases.split(','):
                    on = None if case == '-' else f'@{resource}.{case}'
                    said = ''.join(allowed(rows, on, rule, request, body, ctx) for ctx in callers.values())
                    out.write(f'{rule}\t{case}\t{said}\n')


if __name__ == '__main__':
    {'deprecated': deprecated, 'expected': expected}[sys.argv[1]](*sys.argv[2:])
