//! The kernel and its daemons: netlink, namespaces, iptables, ipset, conntrack, dnsmasq.
