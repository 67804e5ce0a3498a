"""Python Neutron's API on a port of the loopback, or of another address.

    OS_NEUTRON_CONFIG_DIR=FOLDER OS_NEUTRON_CONFIG_FILES=neutron.conf serve.py [ADDRESS:]PORT
"""
import socketserver
import sys
from wsgiref import simple_server

ADDRESS, _, PORT = sys.argv.pop(1).rpartition(':')


class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True


class Quiet(simple_server.WSGIRequestHandler):
    def log_message(self, *args):
        pass


def main():
    from neutron.wsgi.api import application
    server = simple_server.make_server(ADDRESS or '127.0.0.1', int(PORT), application, Server, Quiet)
    server.serve_forever()


main()
