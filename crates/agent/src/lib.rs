//! The agents as reconcilers: Linux bridge, L3, DHCP, metadata.
