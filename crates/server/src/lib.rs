//! neutron-server: the API engine, ML2, IPAM, the resources and what answers the agents.
