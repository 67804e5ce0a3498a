//! How a section of a file says who a service is: the options of keystoneauth, under all names they had.

use super::http::Tls;

/// Declares keystoneauth's options for one section; [`ServiceOptions`] is what they become.
macro_rules! service_options {
    ($(#[$doc:meta])* $name:ident in $group:literal) => {
        oslo::options! {
            $(#[$doc])*
            pub struct $name in $group {
                /// How the service authenticates: password, v3password, v2password or v3applicationcredential.
                auth_type: Option<String> = None, was [($group, "auth_plugin")];
                /// Another section that holds these options.
                auth_section: Option<String> = None;
                /// Where Keystone is; with or without a version.
                auth_url: Option<String> = None;
                /// The service's user.
                username: Option<String> = None, was [($group, "user_name"), ($group, "user-name")];
                /// The service's user by its id.
                user_id: Option<String> = None, was [($group, "user-id")];
                /// The password of the service's user.
                password: Option<String> = None;
                /// The id of the user's domain.
                user_domain_id: Option<String> = None, was [($group, "user-domain-id")];
                /// The name of the user's domain.
                user_domain_name: Option<String> = None, was [($group, "user-domain-name")];
                /// The project that the service works in.
                project_name: Option<String> = None, was [($group, "project-name"), ($group, "tenant_name"), ($group, "tenant-name")];
                /// The project by its id.
                project_id: Option<String> = None, was [($group, "project-id"), ($group, "tenant_id"), ($group, "tenant-id")];
                /// The id of the project's domain.
                project_domain_id: Option<String> = None, was [($group, "project-domain-id")];
                /// The name of the project's domain.
                project_domain_name: Option<String> = None, was [($group, "project-domain-name")];
                /// The domain to work in, in place of a project.
                domain_id: Option<String> = None;
                /// The domain to work in, by its name.
                domain_name: Option<String> = None;
                /// The id of the domain of user and project where nothing else says it.
                default_domain_id: Option<String> = None;
                /// The name of the domain of user and project where nothing else says it.
                default_domain_name: Option<String> = None;
                /// "all" to work on the whole system, in place of a project.
                system_scope: Option<String> = None;
                /// The trust to use.
                trust_id: Option<String> = None;
                /// The id of an application credential.
                application_credential_id: Option<String> = None;
                /// The name of an application credential of the user.
                application_credential_name: Option<String> = None;
                /// The secret of the application credential.
                application_credential_secret: Option<String> = None;
                /// A file of authorities to trust instead of the system's.
                cafile: Option<String> = None;
                /// A file with the client's own certificate, where the service wants one.
                certfile: Option<String> = None;
                /// A file with the key of certfile.
                keyfile: Option<String> = None;
                /// Take any certificate.
                insecure: bool = false;
            }
        }

        impl From<$name> for ServiceOptions {
            fn from(o: $name) -> ServiceOptions {
                ServiceOptions {
                    auth_type: o.auth_type,
                    auth_url: o.auth_url,
                    username: o.username,
                    user_id: o.user_id,
                    password: o.password,
                    user_domain: (o.user_domain_id, o.user_domain_name),
                    project_name: o.project_name,
                    project_id: o.project_id,
                    project_domain: (o.project_domain_id, o.project_domain_name),
                    domain: (o.domain_id, o.domain_name),
                    default_domain: (o.default_domain_id, o.default_domain_name),
                    system_scope: o.system_scope,
                    trust_id: o.trust_id,
                    application_credential: (o.application_credential_id, o.application_credential_name),
                    application_credential_secret: o.application_credential_secret,
                    tls: Tls {
                        cafile: o.cafile,
                        certfile: o.certfile,
                        keyfile: o.keyfile,
                        insecure: o.insecure,
                    },
                }
            }
        }
    };
}

/// An id, a name, or neither; the id counts where both are given.
pub type IdOrName = (Option<String>, Option<String>);

/// What a section says, whichever it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceOptions {
    /// `password`, …
    pub auth_type: Option<String>,
    /// Where Keystone is.
    pub auth_url: Option<String>,
    /// The user's name.
    pub username: Option<String>,
    /// The user's id.
    pub user_id: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The user's domain.
    pub user_domain: IdOrName,
    /// The project's name.
    pub project_name: Option<String>,
    /// The project's id.
    pub project_id: Option<String>,
    /// The project's domain.
    pub project_domain: IdOrName,
    /// The domain as scope.
    pub domain: IdOrName,
    /// The domain of what has none of its own.
    pub default_domain: IdOrName,
    /// `all`
    pub system_scope: Option<String>,
    /// A trust.
    pub trust_id: Option<String>,
    /// An application credential.
    pub application_credential: IdOrName,
    /// Its secret.
    pub application_credential_secret: Option<String>,
    /// How TLS is spoken.
    pub tls: Tls,
}

service_options! {
    /// Who the server is when it asks Keystone whose a token is.
    AuthTokenService in "keystone_authtoken"
}

service_options! {
    /// Who the server is when it tells Nova of ports.
    NovaService in "nova"
}

oslo::options! {
    /// The same as Juno wrote it.
    pub struct JunoAuthToken in "keystone_authtoken" {
        /// Juno's auth_url.
        identity_uri: Option<String> = None;
        /// Before Juno: the host of auth_url.
        auth_host: String = "127.0.0.1".into();
        /// Before Juno: the port of auth_url.
        auth_port: u16 = 35357;
        /// Before Juno: http or https.
        auth_protocol: String = "https".into();
        /// Before Juno: the path of auth_url.
        auth_admin_prefix: String = String::new();
        /// Juno's username.
        admin_user: Option<String> = None;
        /// Juno's password.
        admin_password: Option<String> = None;
        /// Juno's project_name.
        admin_tenant_name: String = "admin".into();
        /// Keystone's bootstrap token; no Keystone takes one any more.
        admin_token: Option<String> = None;
    }
}
