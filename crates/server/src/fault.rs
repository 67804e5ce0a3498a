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
