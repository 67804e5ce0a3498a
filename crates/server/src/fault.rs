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
    // of others
    404 NetworkNotFound { net_id } "Network {net_id} could not be found.";
    404 SubnetNotFound { subnet_id } "Subnet {subnet_id} could not be found.";
    404 PortNotFound { port_id } "Port {port_id} could not be found.";
    409 IpAddressInUse as IpAddressInUse { net_id, ip_address } "Unable to complete operation for network {net_id}. The IP address {ip_address} is in use.";
    409 OverQuota { overs } "Quota exceeded for resources: {overs}.";
    412 RevisionNumberConstraintFailed { id } "Constrained to revision, but current revision of {id} differs.";
    500 Internal as HTTPInternalServerError { detail } "Request Failed: internal server error while processing your request. ({detail})";
    503 DatabaseBusy { detail } "The database refused the write after every retry: {detail}";
}

impl std::error::Error for Fault {}

impl Fault {
    /// The body of the answer.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({"NeutronError": {"type": self.kind(), "message": self.to_string(), "detail": ""}})
    }
}
