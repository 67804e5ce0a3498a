//! The users' command: neutron net-create and its siblings.
