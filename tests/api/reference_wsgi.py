"""Python Neutron's API with an L3 agent that answers, for recording.

Adding a router to an agent is a call, not a cast: without somebody on the topic it takes minutes and fails. The
in-memory transport (`transport_url = fake://`) ends in this process, so the agent must live here. Its host is
`host` in neutron.conf.
"""
import oslo_messaging
from neutron.wsgi.api import application  # noqa: F401
from neutron_lib import rpc


class L3Agent:
    target = oslo_messaging.Target(version='1.9')

    def router_added_to_agent(self, context, payload):
        pass

    def routers_updated(self, context, routers):
        pass


connection = rpc.Connection()
connection.create_consumer('l3_agent', [L3Agent()])
connection.consume_in_threads()
