//! Every extension, by alias. The list is written out on purpose: what a server can do is read here.

mod address_scope;
mod agent;
mod agent_resources_synced;
mod agent_sort_key;
mod allowed_address_pairs;
mod availability_zone;
mod availability_zone_filter;
mod binding;
mod core;
mod default_subnetpools;
mod dhcp_agent_scheduler;
mod dns_integration;
mod engine;
mod ext_gw_mode;
mod external_net;
mod extra_dhcp_opt;
mod extraroute;
mod extraroute_atomic;
mod fip_port_details;
mod flavors;
mod floatingip_router_writable;
mod ip_substring_filtering;
mod l3_agent_scheduler;
mod l3_flavors;
mod multi_provider;
mod net_mtu;
mod net_mtu_writable;
mod network_availability_zone;
mod network_contact;
mod network_ip_availability;
mod port_mac_address_regenerate;
mod port_security;
mod port_security_groups_filtering;
mod provider;
mod quota_check_limit;
mod quota_check_limit_default;
mod quota_details;
mod quotas;
mod rbac_address_scope;
mod rbac_policies;
mod rbac_security_groups;
mod rbac_subnetpool;
mod router;
mod router_availability_zone;
mod security_group;
mod security_groups_default_rules;
mod security_groups_normalized_cidr;
mod security_groups_rules_belongs_to_default_sg;
mod security_groups_shared_filtering;
mod service_type;
mod standard_attr_description;
mod standard_attr_revisions;
mod standard_attr_tag;
mod standard_attr_timestamp;
mod stateful_security_group;
mod subnet_allocation;
mod subnet_external_network;
mod subnet_service_types;
mod subnetpool_prefix_ops;
pub mod tag_ports_during_bulk_creation;

use crate::extension::Extension;

/// All that this program knows, in the order in which their attributes and hooks apply.
pub static ALL: &[&Extension] = &[
    &core::RESOURCES,
    &provider::EXTENSION,
    &multi_provider::EXTENSION,
    &external_net::EXTENSION,
    &net_mtu::EXTENSION,
    &net_mtu_writable::EXTENSION,
    &port_security::EXTENSION,
    &binding::EXTENSION,
    &allowed_address_pairs::EXTENSION,
    &extra_dhcp_opt::EXTENSION,
    &dns_integration::EXTENSION,
    &subnet_allocation::EXTENSION,
    &default_subnetpools::EXTENSION,
    &subnetpool_prefix_ops::EXTENSION,
    &subnet_service_types::EXTENSION,
    &subnet_external_network::EXTENSION,
    &network_availability_zone::EXTENSION,
    &network_contact::EXTENSION,
    &ip_substring_filtering::EXTENSION,
    &port_mac_address_regenerate::EXTENSION,
    &network_ip_availability::EXTENSION,
    &router::EXTENSION,
    &ext_gw_mode::EXTENSION,
    &extraroute::EXTENSION,
    &extraroute_atomic::EXTENSION,
    &router_availability_zone::EXTENSION,
    &flavors::EXTENSION,
    &l3_flavors::EXTENSION,
    &service_type::EXTENSION,
    &fip_port_details::EXTENSION,
    &floatingip_router_writable::EXTENSION,
    &engine::SORTING,
    &engine::PAGINATION,
    &engine::EMPTY_STRING_FILTERING,
    &engine::FILTER_VALIDATION,
    &engine::PROJECT_ID,
    &engine::REVISION_IF_MATCH,
    &engine::TAG_CREATION,
    &standard_attr_description::EXTENSION,
    &standard_attr_revisions::EXTENSION,
    &standard_attr_timestamp::EXTENSION,
    &standard_attr_tag::EXTENSION,
    &tag_ports_during_bulk_creation::EXTENSION,
    &security_group::EXTENSION,
    &stateful_security_group::EXTENSION,
    &security_groups_normalized_cidr::EXTENSION,
    &security_groups_rules_belongs_to_default_sg::EXTENSION,
    &security_groups_shared_filtering::EXTENSION,
    &security_groups_default_rules::EXTENSION,
    &port_security_groups_filtering::EXTENSION,
    &rbac_policies::EXTENSION,
    &address_scope::EXTENSION,
    &rbac_security_groups::EXTENSION,
    &rbac_subnetpool::EXTENSION,
    &rbac_address_scope::EXTENSION,
    &agent::EXTENSION,
    &agent_resources_synced::EXTENSION,
    &agent_sort_key::EXTENSION,
    &dhcp_agent_scheduler::EXTENSION,
    &l3_agent_scheduler::EXTENSION,
    &quotas::EXTENSION,
    &quota_details::EXTENSION,
    &quota_check_limit::EXTENSION,
    &quota_check_limit_default::EXTENSION,
    &availability_zone::EXTENSION,
    &availability_zone_filter::EXTENSION,
    &core::ANNOUNCEMENTS,
];
