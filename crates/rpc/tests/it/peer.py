"""Python's oslo.messaging on the other side of the broker.

peer.py serve URL EXCHANGE TOPIC   serves as "python", says what it heard, line by line, ends with its input
peer.py ask URL EXCHANGE TOPIC     asks whoever serves, says what it was answered, line by line
"""

import json
import logging
import sys

import oslo_messaging
from oslo_config import cfg


def say(*what):
    print(json.dumps(what), flush=True)


class Refused(Exception):
    """An exception with keyword arguments, as Neutron's have."""

    def __init__(self, **kwargs):
        super().__init__('refused %(net_id)s' % kwargs)
        self.kwargs = kwargs


class Endpoint:
    target = oslo_messaging.Target(version='1.4')

    def echo(self, context, **kwargs):
        say('echo', kwargs, context.get('request_id'))
        return {'from': 'python', 'args': kwargs}

    def nothing(self, context):
        return None

    def refuse(self, context, net_id):
        raise Refused(net_id=net_id)

    def fail(self, context):
        raise KeyError('no such thing')


def serve(transport, topic):
    target = oslo_messaging.Target(topic=topic, server='python')
    server = oslo_messaging.get_rpc_server(transport, target, [Endpoint()])
    server.start()
    say('ready')
    sys.stdin.read()
    server.stop()
    server.wait()


def ask(transport, topic):
    target = oslo_messaging.Target(topic=topic, version='1.4')
    client = oslo_messaging.get_rpc_client(transport, target, timeout=30)
    context = {'request_id': 'req-python', 'roles': ['admin']}

    def call(client, method, **kwargs):
        try:
            say(method, client.call(context, method, **kwargs))
        except oslo_messaging.RemoteError as e:
            say(method, 'RemoteError', e.exc_type, e.value)
        except Exception as e:
            say(method, type(e).__name__, str(e))

    call(client, 'echo', text='ü "quoted" \\ 网\n', n=[1, None, {'x': 1.5}])
    call(client, 'nothing')
    call(client, 'refuse')
    call(client, 'value_error')
    call(client, 'shout')
    call(client.prepare(version='1.9'), 'echo')
    call(client.prepare(server='rust'), 'nothing')
    call(client.prepare(call_monitor_timeout=1), 'slow')
    client.cast(context, 'echo', n=1)
    client.prepare(fanout=True).cast(context, 'echo', n=2)
    client.prepare(server='rust').cast(context, 'echo', n=3)


def main(role, url, exchange, topic):
    conf = cfg.CONF
    conf([], project='peer')
    oslo_messaging.set_transport_defaults(exchange)
    transport = oslo_messaging.get_rpc_transport(conf, url=url)
    {'serve': serve, 'ask': ask}[role](transport, topic)
    transport.cleanup()


logging.disable()  # the exceptions that are asked for here would be logged
main(*sys.argv[1:])
