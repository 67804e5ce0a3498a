# What people type. `make demo` shows the main job, `make test` passes the tests; both set up what they need.

SHELL := /bin/bash
.DEFAULT_GOAL := help
export CARGO_TERM_COLOR ?= auto
CARGO_DENY_VERSION := 0.20.2
TOOLS := .tools

# Debian packages: what builds (a C compiler for SQLite), and what the agents drive.
BUILD_PACKAGES := build-essential pkg-config ca-certificates curl
AGENT_PACKAGES := dnsmasq-base radvd iptables ipset conntrack ebtables iproute2 iputils-ping iputils-arping procps openvswitch-switch
# The servers around Neutron, for tests and laboratories: none is started by the system.
SERVICE_PACKAGES := mariadb-server-core mariadb-client-core galera-4 rabbitmq-server memcached python3-venv
LAB_PACKAGES := isc-dhcp-client ethtool busybox-static tcpdump qemu-system-x86 cpio kmod python3-minimal
# OpenStack's dashboard, what serves it and a browser: apache2-bin brings no service.
HORIZON_PACKAGES := openstack-dashboard python3-memcache apache2-bin libapache2-mod-wsgi-py3 chromium chromium-driver fonts-liberation

.PHONY: help setup services horizon-packages build demo guide-liberty guide-juno horizon openstackclient tempest chaos interop onedb run stop test test-kernel check deny bench bench-two-hosts bench-against-python bench-ovs-agent install sample

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 14

setup: ## Install what is missing: Debian packages, the Rust toolchain
	@./tools/setup $(BUILD_PACKAGES) $(AGENT_PACKAGES) $(LAB_PACKAGES)

services: setup ## Install MariaDB, RabbitMQ, memcached (Debian) and Keystone (PyPI, into .tools)
	@./tools/setup $(SERVICE_PACKAGES)
	@./tools/python-venv tools/keystone.lock $(TOOLS)/keystone

horizon-packages: services
	@./tools/setup $(HORIZON_PACKAGES)

build: setup ## The release binary: target/release/neutron
	@. ./tools/env; cargo build --release --locked -p neutron -p lab

demo: build ## One cloud on this machine, shown on real packets, and gone again
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab demo

guide-liberty: build services ## The Liberty guide on two simulated machines, as printed and mended
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab guide-liberty

guide-juno: build services horizon-packages ## The Juno guide on three simulated machines with Open vSwitch and GRE, as printed and mended
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab guide-juno

horizon: build services horizon-packages ## OpenStack's dashboard in front of that cloud, used in a headless browser; screenshots in target/horizon
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab horizon

openstackclient: build services ## Every resource by python-openstackclient with Keystone, on that cloud
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab openstackclient

tempest: build services ## OpenStack's own tests of the network API, against the Liberty guide's cloud
	@./tools/python-venv tools/tempest.lock $(TOOLS)/tempest
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab tempest

chaos: build services ## Kill processes of that cloud under traffic and load, count what is lost
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab chaos

interop: build services ## Agents of Neutron's own in Python on this server, ours on Python's: each for the other under flood ping
	@./tools/setup haproxy
	@./tools/python-venv tools/neutron-29.lock $(TOOLS)/neutron-29
	@./tools/python-venv tools/neutron-25.2.3.lock $(TOOLS)/neutron-25.2.3
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab interop

onedb: build services ## One database, two programs: Python Neutron 29 (PyPI, into .tools) and ours take turns on it
	@./tools/python-venv tools/neutron-29.lock $(TOOLS)/neutron-29
	@. ./tools/env; folder="$${CARGO_TARGET_DIR:-target}"/release; \
	"$$folder"/lab with-services -- python3 tests/onedb/run.py "$$folder"/neutron $(TOOLS)/neutron-29

run: build ## The demonstration's cloud, left standing
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab run

stop: ## End what `make run` started
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab stop

test: setup services check ## Everything that must pass: format, lints, licences, tests on real servers, namespaces, packets
	@. ./tools/env; cargo build --quiet --locked -p lab
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/debug/lab with-services -- cargo test --workspace --locked --no-fail-fast

test-kernel: setup ## The agents' tests on Debian's kernels, in user-mode-linux and qemu: Open vSwitch's datapath, 802.1Q, zones of connection tracking
	@. ./tools/env; cargo build --quiet --locked -p lab
	@. ./tools/env; cargo test --locked -p agent --test uml
	@. ./tools/env; target="$${CARGO_TARGET_DIR:-$(CURDIR)/target}"; \
	export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$$target/debug/lab in-uml --"; \
	LAB_FIREWALL=noop cargo test --locked -p agent --test kernel -- --color never --test-threads 1 && \
	LAB_DATAPATH=system cargo test --locked -p agent --test it -- --color never --test-threads 1 ovs:: direct::frames
	@. ./tools/env; target="$${CARGO_TARGET_DIR:-$(CURDIR)/target}"; \
	export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$$target/debug/lab in-kernel --"; \
	cargo test --locked -p agent --test kernel -- --color never --test-threads 1 && \
	LAB_DATAPATH=system cargo test --locked -p agent --test it -- --color never --test-threads 1 ovs:: firewall:: direct::

check: setup deny ## Format, lints, licences
	@. ./tools/env; cargo fmt --all --check
	@. ./tools/env; cargo clippy --workspace --all-targets --locked -- -D warnings
	@. ./tools/env; cargo clippy --package agent --test kernel --test uml --locked -- -D warnings

deny: setup ## Licences, bans and sources of the dependencies
	@. ./tools/env; ./tools/cargo-deny $(CARGO_DENY_VERSION) $(TOOLS)
	@. ./tools/env; $(TOOLS)/bin/cargo-deny --log-level error check licenses bans sources

bench: build ## The table of figures
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab bench

bench-two-hosts: build services ## A thousand ports on two machines, with MariaDB, RabbitMQ and Keystone around them
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab bench --two-hosts

bench-against-python: build services ## The same requests to Python Neutron 29, on the same MariaDB and Keystone, in one run
	@./tools/setup python3-dev
	@./tools/python-venv tools/neutron.lock $(TOOLS)/neutron
	@. ./tools/env; LAB_DURABILITY=disk "$${CARGO_TARGET_DIR:-target}"/release/lab with-services -- \
		"$${CARGO_TARGET_DIR:-target}"/release/lab bench --against-python

bench-ovs-agent: build services ## 200 ports wired by our Open vSwitch agent and by that of Python Neutron 29, in one run
	@./tools/python-venv tools/neutron-29.lock $(TOOLS)/neutron-29
	@. ./tools/env; "$${CARGO_TARGET_DIR:-target}"/release/lab bench --ovs-agent

install: ## The program, its names, units and samples: make install [DESTDIR=…] after make build
	@. ./tools/env; ./tools/install "$${CARGO_TARGET_DIR:-target}"/release/neutron "$(DESTDIR)"

sample: ## Write the sample configuration file anew
	@. ./tools/env; cargo run -q -p neutron -- config sample > etc/neutron.conf.sample
