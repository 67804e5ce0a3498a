//! Every answer that is not a success, in one table: HTTP status, Neutron's type name, and words.
//!
//! Clients match on the type name, so it is part of the table: the variant's own, or what follows `as`
//! (upstream raises bare `HTTPBadRequest` for what admission refuses).

macro_rules! wire {
    ($name:ident) => {
        stringify!($name)
    };
    ($name:ident $wire:ident) => {
        stringify!($wire)
    };
}

macro_rules! faults {
    ($($status:literal $name:ident $(as $wire:ident)? { $($field:ident),* } $text:literal;)*) => {
        /// A refusal or a failure, as the client sees it.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "the table above says each variant's status, type and words")]
        pub enum Fault { $($name { $($field: String),* }),* }

        impl Fault {
            /// The HTTP status.
            pub fn status(&self) -> u16 { match self { $(Fault::$name { .. } => $status),* } }
            /// Neutron's name of the error, the `type` of the body.
            pub fn kind(&self) -> &'static str { match self { $(Fault::$name { .. } => wire!($name $($wire)?)),* } }
            /// What its words are about: the keyword arguments of Neutron's exception.
            pub fn fields(&self) -> Vec<(&'static str, &str)> {
                match self { $(Fault::$name { $($field),* } => vec![$((stringify!($field), $field.as_str())),*]),* }
            }
        }

        impl std::fmt::Display for Fault {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self { $(Fault::$name { $($field),* } => write!(f, $text)),* }
            }
        }
    };
}

faults! {
    400 BadRequest as HTTPBadRequest { text } "{text}";
    400 InvalidInput as HTTPBadRequest { attr, reason } "Invalid input for {attr}. Reason: {reason}.";
    400 ConvertFailed as InvalidInput { error_message } "Invalid input for operation: {error_message}.";
    400 NotAllowedIn as HTTPBadRequest { attr, verb } "Attribute '{attr}' not allowed in {verb}";
    400 RequiredAttribute as HTTPBadRequest { attr } "Failed to parse request. Required attribute '{attr}' not specified";
    400 UnrecognizedAttribute as HTTPBadRequest { attr } "Unrecognized attribute(s) '{attr}'";
    403 InvalidScope { action } "{action}";
    403 PolicyNotAuthorized { action } "{action} is disallowed by policy";
    404 NotFound as HTTPNotFound { text } "{text}";
    // routers and floating IPs
    400 RouterBadRequest as BadRequest { msg } "Bad router request: {msg}.";
    400 FloatingipBadRequest as BadRequest { msg } "Bad floatingip request: {msg}.";
    400 InvalidRoutes { routes, reason } "Invalid format for routes: {routes}, {reason}";
    400 SubnetMismatchForPort { port_id, subnet_id } "Subnet on port {port_id} does not match the requested subnet {subnet_id}.";
    400 ExternalIpAddressExhausted { net_id } "Unable to find any IP address on external network {net_id}.";
    404 RouterNotFound { router_id } "Router {router_id} could not be found";
    404 RouterInterfaceNotFound { router_id, port_id } "Router {router_id} does not have an interface with id {port_id}";
    404 RouterInterfaceNotFoundForSubnet { router_id, subnet_id } "Router {router_id} has no interface on subnet {subnet_id}";
    404 FloatingIPNotFound { floatingip_id } "Floating IP {floatingip_id} could not be found";
    404 ExternalGatewayForFloatingIPNotFound { external_network_id, subnet_id, port_id } "External network {external_network_id} is not reachable from subnet {subnet_id}.  Therefore, cannot associate Port {port_id} with a Floating IP.";
    409 RouterInUse { router_id, reason } "Router {router_id} {reason}";
    409 RouterInterfaceInUseByFloatingIP { router_id, subnet_id } "Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required by one or more floating IPs.";
    409 RouterInterfaceInUseByRoute { router_id, subnet_id } "Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required by one or more routes.";
    409 RouterExternalGatewayInUseByFloatingIp { router_id, net_id } "Gateway cannot be updated for router {router_id}, since a gateway to external network {net_id} is required by one or more floating IPs.";
    409 FloatingIPPortAlreadyAssociated { floating_ip_address, fip_id, port_id, fixed_ip, net_id } "Cannot associate floating IP {floating_ip_address} ({fip_id}) with port {port_id} using fixed IP {fixed_ip}, as that fixed IP already has a floating IP on external network {net_id}.";
    409 FipAssociated { port_id } "Unable to complete the operation on port {port_id} because the port still has an associated floating IP.";
    400 InvalidServiceType { service_type } "Invalid service type: {service_type}.";
    409 Conflict { text } "{text}";
    400 PortBadRequest as BadRequest { msg } "Bad port request: {msg}.";
    // security groups
    400 SecurityGroupInvalidPortRange { } "For TCP/UDP protocols, port_range_min must be <= port_range_max";
    400 SecurityGroupInvalidProtocolForPort { protocol, valid_port_protocols } "Ports cannot be specified for protocol {protocol}. Ports are only supported for {valid_port_protocols}.";
    400 SecurityGroupInvalidPortValue { port } "Invalid value for port {port}";
    400 SecurityGroupInvalidIcmpValue { field, attr, value } "Invalid value for ICMP {field} ({attr}) {value}. It must be 0 to 255.";
    400 SecurityGroupEthertypeConflictWithProtocol { ethertype, protocol } "Invalid ethertype {ethertype} for protocol {protocol}.";
    400 SecurityGroupMissingIcmpType { value } "ICMP code (port-range-max) {value} is provided but ICMP type (port-range-min) is missing.";
    400 SecurityGroupRuleInvalidProtocol { protocol, values } "Security group rule protocol {protocol} not supported. Only protocol values {values} and integer representations [0 to 255] are supported.";
    400 SecurityGroupRuleInvalidEtherType { ethertype, values } "Security group rule for ethertype '{ethertype}' not supported. Allowed values are {values}.";
    400 SecurityGroupRulesNotSingleProject { } "Multiple project_ids in bulk security group rule create not allowed";
    400 SecurityGroupMultipleRemoteEntites { } "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.";
    400 SecurityGroupProtocolRequiredWithPorts { } "Must also specify protocol if port range is given.";
    400 SecurityGroupNotSingleGroupRules { } "Only allowed to update rules for one security profile at a time";
    400 SecurityGroupRuleParameterConflict { ethertype, cidr } "Conflicting value ethertype {ethertype} for CIDR {cidr}";
    400 InvalidCIDR { input } "Invalid CIDR {input} given as IP prefix.";
    404 SecurityGroupNotFound { id } "Security group {id} does not exist";
    404 SecurityGroupRuleNotFound { id } "Security group rule {id} does not exist";
    404 DefaultSecurityGroupRuleNotFound { id } "Default Security Group rule {id} does not exist";
    409 SecurityGroupInUse { id } "Security Group {id} in use.";
    409 SecurityGroupCannotRemoveDefault { } "Insufficient rights for removing default security group.";
    409 SecurityGroupCannotUpdateDefault { } "Updating default security group not allowed.";
    409 SecurityGroupDefaultAlreadyExists { } "Default security group already exists.";
    409 DuplicateSecurityGroupRuleInPost { } "Duplicate Security Group Rule in POST.";
    409 SecurityGroupRuleExists { rule_id } "Security group rule already exists. Rule id is {rule_id}.";
    409 SecurityGroupConflict { reason } "Error {reason} while attempting the operation.";
    409 DefaultSecurityGroupRuleExists { rule_id } "Default Security Group rule already exists. Rule id is {rule_id}.";
    // sharing, flavors, address scopes
    404 RbacPolicyNotFound { object_type, id } "RBAC policy of type {object_type} with ID {id} not found";
    409 RbacPolicyInUse { object_id, details } "RBAC policy on object {object_id} cannot be removed because other objects depend on it.\nDetails: {details}";
    409 DuplicateRbacPolicy { } "An RBAC policy already exists with those values.";
    400 InvalidActionForType { action, object_type, valid_actions } "Invalid action '{action}' for object type '{object_type}'. Valid actions: {valid_actions}";
    404 FlavorNotFound { flavor_id } "Flavor {flavor_id} could not be found.";
    409 FlavorInUse { flavor_id } "Flavor {flavor_id} is used by some service instance.";
    404 ServiceProfileNotFound { sp_id } "Service Profile {sp_id} could not be found.";
    409 ServiceProfileInUse { sp_id } "Service Profile {sp_id} is used by some service instance.";
    409 FlavorServiceProfileBindingExists { sp_id, fl_id } "Service Profile {sp_id} is already associated with flavor {fl_id}.";
    404 FlavorServiceProfileBindingNotFound { sp_id, fl_id } "Service Profile {sp_id} is not associated with flavor {fl_id}.";
    404 ServiceProfileDriverNotFound { driver } "Service Profile driver {driver} could not be found.";
    400 ServiceProfileEmpty { } "Service Profile needs either a driver or metainfo.";
    503 ServiceProfileDisabled { } "Service Profile is not enabled.";
    404 AddressScopeNotFound { address_scope_id } "Address scope {address_scope_id} could not be found.";
    409 AddressScopeInUse { address_scope_id } "Unable to complete operation on address scope {address_scope_id}. There are one or more subnet pools in use on the address scope.";
    400 AddressScopeUpdateError { address_scope_id, reason } "Unable to update address scope {address_scope_id} : {reason}.";
    // networks, subnets, ports
    400 NetworkBadRequest as BadRequest { msg } "Bad network request: {msg}.";
    400 SubnetsBadRequest as BadRequest { msg } "Bad subnets request: {msg}.";
    400 PortsBadRequest as BadRequest { msg } "Bad ports request: {msg}.";
    400 InvalidIpForNetwork { ip_address } "IP address {ip_address} is not a valid IP for any of the subnets on the specified network.";
    400 InvalidIpForSubnet { ip_address } "IP address {ip_address} is not a valid IP for the specified subnet.";
    400 IpamInvalidIpForSubnet as InvalidIpForSubnet { ip, subnet_id } "IP address {ip} does not belong to subnet {subnet_id}";
    400 AllocationOnAutoAddressSubnet { ip, subnet_id } "IPv6 address {ip} cannot be directly assigned to a port on subnet {subnet_id} as the subnet is configured for automatic addresses";
    400 HostRoutesExhausted { subnet_id, quota } "Unable to complete operation for {subnet_id}. The number of host routes exceeds the limit {quota}.";
    400 DNSNameServersExhausted { subnet_id, quota } "Unable to complete operation for {subnet_id}. The number of DNS nameservers exceeds the limit {quota}.";
    400 InvalidAllocationPool { pool } "The allocation pool {pool} is not valid.";
    400 OutOfBoundsAllocationPool { pool, subnet_cidr } "The allocation pool {pool} spans beyond the subnet cidr {subnet_cidr}.";
    400 SegmentsSetInConjunctionWithProviders { } "Segments and provider values cannot both be set.";
    400 SegmentsContainDuplicateEntry { } "Duplicate segment entry in request.";
    400 InvalidSubnetServiceType { service_type } "Subnet service type {service_type} does not correspond to a valid device owner.";
    400 InvalidInputSubnetServiceType { service_type } "Subnet service type {service_type} is not a string.";
    400 AllowedAddressPairsMissingIP { } "AllowedAddressPair must contain ip_address";
    400 AllowedAddressPairExhausted { quota } "The number of allowed address pair exceeds the maximum {quota}.";
    400 DuplicateAddressPairInRequest { mac_address, ip_address } "Request contains duplicate address pair: mac_address {mac_address} ip_address {ip_address}.";
    400 PortSecurityAndIPRequiredForSecurityGroups { } "Port security must be enabled and port must have an IP address in order to use security groups.";
    400 NetworkSubnetPoolAffinityError { } "Subnets hosted on the same network must be allocated from the same subnet pool.";
    400 NetworkAddressScopeAffinityError { } "Subnets of the same address family hosted on the same network must all participate in the same address scope.";
    404 AvailabilityZoneNotFound { availability_zone } "AvailabilityZone {availability_zone} could not be found.";
    404 PortNotFoundOnNetwork { port_id, net_id } "Port {port_id} could not be found on network {net_id}.";
    404 PortBindingNotFound { port_id, host } "Binding for port {port_id} for host {host} could not be found.";
    404 NetworkIpAvailabilityNotFound { id } "network_ip_availability '{id}' could not be found.";
    409 AddressPairAndPortSecurityRequired { } "Port Security must be enabled in order to have allowed address pairs on a port.";
    409 PortSecurityPortHasSecurityGroup { } "Port has security group associated. Cannot disable port security or IP address until security group is removed.";
    409 NetworkInUse { net_id, reason } "Unable to complete operation on network {net_id}. {reason}.";
    409 SubnetInUse { subnet_id, reason } "Unable to complete operation on subnet {subnet_id}: {reason}.";
    409 PortInUse { port_id, net_id, device_id } "Unable to complete operation on port {port_id} for network {net_id}. Port already has an attached device {device_id}.";
    409 ServicePortInUse { port_id, reason } "Port {port_id} cannot be deleted directly via the port API: {reason}.";
    409 PortBound { port_id, vif_type, old_mac, new_mac } "Unable to complete operation on port {port_id}, port is already bound, port type: {vif_type}, old_mac {old_mac}, new_mac {new_mac}.";
    409 MacAddressInUse { net_id, mac } "Unable to complete operation for network {net_id}. The mac address {mac} is in use.";
    409 IpamValueInvalid { text } "{text}";
    409 IpAddressAlreadyAllocated { ip, subnet_id } "IP address {ip} already allocated in subnet {subnet_id}";
    409 IpAddressGenerationFailure { net_id } "No more IP addresses available on network {net_id}.";
    409 IpAddressGenerationFailureNoMatchingSubnet { network_id, service_type } "No valid service subnet for the given device owner, network {network_id}, service type {service_type}.";
    409 VlanIdInUse { vlan_id, physical_network } "Unable to create the network. The VLAN {vlan_id} on physical network {physical_network} is in use.";
    409 TunnelIdInUse { tunnel_id } "Unable to create the network. The tunnel ID {tunnel_id} is in use.";
    409 FlatNetworkInUse { physical_network } "Unable to create the flat network. Physical network {physical_network} is in use.";
    409 UnsupportedPortDeviceOwner { op, port_id, device_owner } "Operation {op} is not supported for device_owner {device_owner} on port {port_id}.";
    409 OverlappingAllocationPools { pool_1, pool_2, subnet_cidr } "Found overlapping allocation pools: {pool_1} {pool_2} for subnet {subnet_cidr}.";
    409 GatewayConflictWithAllocationPools { ip_address, pool } "Gateway ip {ip_address} conflicts with allocation pool {pool}.";
    409 GatewayIpInUse { ip_address, port_id } "Current gateway ip {ip_address} already in use by port {port_id}. Unable to update.";
    409 DeviceIDNotOwnedByTenant { device_id } "The following device_id {device_id} is not owned by your project or matches another project router.";
    409 InvalidSharedSetting { network } "Unable to reconfigure sharing settings for network {network}. Multiple projects are using it.";
    409 ExternalNetworkInUse { net_id } "External network {net_id} cannot be updated to be made non-external, since it has existing gateway ports.";
    409 NetworkMTUSubnetConflict { net_id, mtu } "MTU of {net_id} is not valid, subnet requires a minimum of {mtu}";
    503 NoNetworkAvailable { } "Unable to create the network. No project network is available for allocation.";
    // subnet pools
    400 AddrFormatError { text } "{text}";
    400 EmptySubnetPoolPrefixList { } "Empty subnet pool prefix list.";
    400 PrefixVersionMismatch { } "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.";
    400 UnsupportedMinSubnetPoolPrefix { prefix, version } "Prefix '{prefix}' not supported in IPv{version} pool.";
    400 IllegalSubnetPoolPrefixBounds { prefix_type, prefixlen, base_prefix_type, base_prefixlen } "Illegal prefix bounds: {prefix_type}={prefixlen}, {base_prefix_type}={base_prefixlen}.";
    400 IllegalSubnetPoolPrefixUpdate { msg } "Illegal update to prefixes: {msg}.";
    400 IllegalSubnetPoolUpdate { reason } "Illegal subnetpool update : {reason}.";
    400 IllegalSubnetPoolAssociationToAddressScope { subnetpool_id, address_scope_id } "Illegal subnetpool association: subnetpool {subnetpool_id} cannot be associated with address scope {address_scope_id}.";
    400 IllegalSubnetPoolIpVersionAssociationToAddressScope { subnetpool_id, address_scope_id, ip_version } "Illegal subnetpool association: subnetpool {subnetpool_id} cannot associate with address scope {address_scope_id} because subnetpool ip_version is not {ip_version}.";
    400 MinPrefixSubnetAllocationError { prefixlen, min_prefixlen } "Unable to allocate subnet with prefix length {prefixlen}, minimum allowed prefix is {min_prefixlen}.";
    400 MaxPrefixSubnetAllocationError { prefixlen, max_prefixlen } "Unable to allocate subnet with prefix length {prefixlen}, maximum allowed prefix is {max_prefixlen}.";
    400 SubnetPoolDeleteError { reason } "Unable to delete subnet pool: {reason}.";
    404 SubnetPoolNotFound { subnetpool_id } "Subnet pool {subnetpool_id} could not be found.";
    409 SubnetPoolQuotaExceeded { } "Per-project subnet pool prefix quota exceeded.";
    409 AddressScopePrefixConflict { } "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.";
    409 SubnetAllocationError { reason } "Failed to allocate subnet: {reason}.";
    // agents and their schedulers
    404 AgentNotFound { id } "Agent {id} could not be found.";
    404 InvalidDHCPAgent { id } "Agent {id} is not a valid DHCP Agent or has been disabled.";
    409 NetworkHostedByDHCPAgent { network_id, agent_id } "The network {network_id} has been already hosted by the DHCP Agent {agent_id}.";
    409 NetworkNotHostedByDhcpAgent { network_id, agent_id } "The network {network_id} is not hosted by the DHCP Agent {agent_id}.";
    404 InvalidL3Agent { id } "Agent {id} is not a L3 Agent or has been disabled";
    409 RouterHostedByL3Agent { router_id, agent_id } "The router {router_id} has been already hosted by the L3 Agent {agent_id}.";
    409 RouterL3AgentMismatch { router_id, agent_id } "Cannot host distributed router {router_id} on legacy L3 agent {agent_id}.";
    409 DVRL3CannotAssignToDvrAgent { } "Not allowed to manually assign a router to an agent in 'dvr' mode.";
    409 DVRL3CannotRemoveFromDvrAgent { } "Not allowed to manually remove a router from an agent in 'dvr' mode.";
    // quotas
    404 TenantQuotaNotFound { tenant_id } "Quota for project {tenant_id} could not be found.";
    400 QuotaMissingTenant { } "Tenant-id was missing from quota request.";
    403 AdminRequired { reason } "User does not have admin privileges: {reason}.";
    // of others
    400 MalformedRequestBody { reason } "Malformed request body: {reason}.";
    404 TagNotFound { tag } "Tag {tag} could not be found.";
    404 NetworkNotFound { net_id } "Network {net_id} could not be found.";
    404 SubnetNotFound { subnet_id } "Subnet {subnet_id} could not be found.";
    404 PortNotFound { port_id } "Port {port_id} could not be found.";
    409 IpAddressInUse as IpAddressInUse { net_id, ip_address } "Unable to complete operation for network {net_id}. The IP address {ip_address} is in use.";
    409 OverQuota { overs } "Quota exceeded for resources: {overs}.";
    405 MethodNotAllowed as HTTPMethodNotAllowed { } "The server could not comply with the request since it is either malformed or otherwise incorrect.";
    406 NotAcceptable as HTTPNotAcceptable { } "The server could not comply with the request since it is either malformed or otherwise incorrect.";
    413 BodyTooLarge as HTTPRequestEntityTooLarge { } "The body is too large.";
    400 BadResourceRequest as BadRequest { resource, msg } "Bad {resource} request: {msg}.";
    412 RevisionNumberConstraintFailed { expected, current } "Constrained to {expected}, but current revision is {current}";
    // The detail is for the log: nothing of a defect leaves the server.
    500 Internal as HTTPInternalServerError { detail } "Request Failed: internal server error while processing your request.{detail:.0}";
    503 DatabaseBusy { detail } "The database refused the write after every retry: {detail}";
}

impl std::error::Error for Fault {}

impl Fault {
    /// The 404 of what is no resource at all.
    pub fn no_resource() -> Fault {
        Fault::NotFound { text: "The resource could not be found.".to_string() }
    }

    /// The body of the answer.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({"NeutronError": {"type": self.kind(), "message": self.to_string(), "detail": ""}})
    }
}
