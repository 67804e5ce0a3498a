#!/usr/bin/env python3
"""Runs tempest's network tests against the network service in Keystone's catalogue.

    run.py LIST OUT [PATTERN]

LIST names the tests that must pass, one a line. OUT is a folder for logs and results. PATTERN keeps the tests
whose name holds it. Keystone and the administrator come from OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and
OS_PROJECT_NAME. Ends with 1 unless every test passed: a skipped one counts as not passed.

It is run by the Python of the environment that tools/tempest.lock describes.
"""

import configparser
import io
import json
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

import subunit
import testtools

HERE = pathlib.Path(sys.executable).parent


class Cloud:
    """Keystone and the network service, as an administrator sees them."""

    def __init__(self, env):
        self.url, self.env, self.token = env["OS_AUTH_URL"].rstrip("/"), env, None
        domain = {"id": "default"}
        user = {"name": env["OS_USERNAME"], "password": env["OS_PASSWORD"], "domain": domain}
        scope = {"project": {"name": env["OS_PROJECT_NAME"], "domain": domain}}
        identity = {"methods": ["password"], "password": {"user": user}}
        headers, body = self.call("POST", self.url + "/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
        self.token = headers["X-Subject-Token"]
        endpoints = (e for s in body["token"]["catalog"] if s["type"] == "network" for e in s["endpoints"])
        self.network = next(e["url"] for e in endpoints if e["interface"] == "public").rstrip("/") + "/v2.0"

    def call(self, verb, url, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["X-Auth-Token"] = self.token
        request = urllib.request.Request(url, data, headers, method=verb)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.headers, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            sys.exit(f"{verb} {url}: {error.code} {error.read().decode(errors='replace')}")

    def aliases(self):
        return sorted(e["alias"] for e in self.call("GET", self.network + "/extensions")[1]["extensions"])

    def external_network(self):
        """The id of the external network; made where there is none."""
        found = self.call("GET", self.network + "/networks?router:external=true")[1]["networks"]
        if found:
            return found[0]["id"]
        wanted = {"name": "public", "router:external": True}
        wanted |= {"provider:network_type": "flat", "provider:physical_network": "public"}
        made = self.call("POST", self.network + "/networks", {"network": wanted})[1]["network"]["id"]
        for version, cidr in ((4, "198.18.24.0/22"), (6, "2001:db8:ffff::/64")):
            subnet = {"network_id": made, "ip_version": version, "cidr": cidr, "enable_dhcp": False}
            self.call("POST", self.network + "/subnets", {"subnet": subnet})
        return made


# Without `dvr` tempest waits for the interface of a router that it made with admin_state_up false to become ACTIVE,
# which no L3 agent brings about, upstream's neither. Only the test that asks what is offered is told the truth.
TAKEN_FOR_GRANTED = ["dvr"]
ASKS_WHAT_IS_OFFERED = "tempest.api.network.test_extensions."


def settings(cloud, folder, more):
    """tempest.conf for a cloud of Keystone and a network service alone; `more` are aliases beside those offered."""
    env = cloud.env
    return {
        "DEFAULT": {"log_file": folder / "tempest.log", "use_stderr": False, "debug": True},
        "oslo_concurrency": {"lock_path": folder / "lock"},
        "auth": {
            "use_dynamic_credentials": True,
            "create_isolated_networks": False,
            "tempest_roles": "member",
            "admin_username": env["OS_USERNAME"],
            "admin_password": env["OS_PASSWORD"],
            "admin_project_name": env["OS_PROJECT_NAME"],
            "admin_domain_name": "Default",
        },
        "identity": {
            "auth_version": "v3",
            "uri_v3": cloud.url,
            "region": env.get("OS_REGION_NAME", "RegionOne"),
            "v3_endpoint_type": "public",
            "default_domain_id": "default",
        },
        "identity-feature-enabled": {"api_v2": False, "api_v3": True},
        "service_available": {"neutron": True}
        | {other: False for other in ("nova", "glance", "cinder", "swift", "horizon")},
        "enforce_scope": {"neutron": True},
        "network": {
            "public_network_id": cloud.external_network(),
            "project_network_cidr": "10.100.0.0/16",
            "project_networks_reachable": False,
        },
        "network-feature-enabled": {
            "ipv6": True,
            "ipv6_subnet_attributes": True,
            "floating_ips": True,
            "port_security": True,
            "api_extensions": ",".join(cloud.aliases() + more),
        },
    }


def write(config, path):
    parser = configparser.RawConfigParser()
    for section, values in config.items():
        if section != "DEFAULT":
            parser.add_section(section)
        for name, value in values.items():
            parser.set(section, name, str(value))
    with open(path, "w") as file:
        parser.write(file)


def plain(name):
    """A test's name without its idempotent ids and tags."""
    return name.split("[", 1)[0]


class Outcomes:
    """What became of each test, read from a stream of subunit's."""

    def __init__(self, names):
        self.names, self.of = names, {}

    def take(self, test):
        name, status = test["id"], test["status"]
        words = "\n".join(c.as_text().strip() for k, c in test["details"].items() if k.startswith(("reason", "trace")))
        if name.startswith("setUpClass (") and status in ("skip", "fail"):
            group = name[len("setUpClass (") : -1] + "."
            self.of.update({t: (status, words) for t in self.names if t.startswith(group)})
        elif plain(name) in self.names:
            self.of[plain(name)] = (status, words)

    def read(self, stream):
        result = testtools.StreamToDict(self.take)
        result.startTestRun()
        subunit.ByteStreamToStreamResult(io.BytesIO(stream), non_subunit_name="stdout").run(result)
        result.stopTestRun()

    def report(self, folder):
        passed = [t for t in self.names if self.of.get(t, ("",))[0] == "success"]
        other = [t for t in self.names if t not in passed]
        with open(folder / "failures.txt", "w") as file:
            for test in other:
                status, words = self.of.get(test, ("not run", ""))
                file.write(f"==== {test}: {status}\n{words[-4000:]}\n\n")
                print(f"{status}: {test}")
        print(f"tempest: {len(passed)} passed, {len(other)} failed")
        return not other and bool(passed)


class Stestr:
    """Runs tests in a folder of its own, with a tempest.conf of its own."""

    def __init__(self, folder, config):
        (folder / "etc").mkdir(parents=True)
        write(config, folder / "etc" / "tempest.conf")
        site = subprocess.check_output([HERE / "python", "-c", "import tempest; print(tempest.__path__[0])"], text=True)
        site = pathlib.Path(site.strip())
        stestr = f"[DEFAULT]\ntest_path={site}/test_discover\ntop_dir={site.parent}\ngroup_regex=([^\\.]*\\.)*\n"
        (folder / ".stestr.conf").write_text(stestr)
        self.folder = folder
        self.env = os.environ | {"TEMPEST_CONFIG_DIR": str(folder / "etc"), "TEMPEST_CONFIG": "tempest.conf"}
        self.env |= {"PATH": f"{HERE}:{os.environ['PATH']}", "PYTHONWARNINGS": "ignore", "OS_TEST_TIMEOUT": "300"}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["stestr", "init"], cwd=folder, env=self.env, check=True, **quiet)

    def run(self, names):
        """Runs the tests of these names that tempest has; the stream of what became of them."""
        every = ["stestr", "list", r"^tempest\.api\.network\."]
        known = subprocess.check_output(every, cwd=self.folder, env=self.env, text=True)
        wanted = [line for line in known.split("\n") if plain(line) in names]
        (self.folder / "wanted").write_text("\n".join(wanted) + "\n")
        run = ["stestr", "run", "--concurrency", "2", "--load-list", str(self.folder / "wanted")]
        with open(self.folder / "stestr.log", "w") as log:
            subprocess.run(run, cwd=self.folder, env=self.env, stdout=log, stderr=log, timeout=3600)
        # What is kept is an older form of the stream.
        return subprocess.check_output(["stestr", "last", "--subunit"], cwd=self.folder, env=self.env)


def main():
    listed, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    pattern = sys.argv[3] if len(sys.argv) > 3 else ""
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    names = [t for t in listed.read_text().split() if pattern in t]
    print(f"{len(names)} tests of tempest; logs are in {folder}", flush=True)
    cloud, outcomes = Cloud(os.environ), Outcomes(names)
    asking = [t for t in names if t.startswith(ASKS_WHAT_IS_OFFERED)]
    others = [t for t in names if t not in asking]
    for name, tests, more in (("most", others, TAKEN_FOR_GRANTED), ("offered", asking, [])):
        if tests:
            part = folder / name
            outcomes.read(Stestr(part, settings(cloud, part, more)).run(tests))
    return 0 if outcomes.report(folder) else 1


sys.exit(main())
