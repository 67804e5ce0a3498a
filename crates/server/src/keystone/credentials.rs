//! Who a service is, read from any spelling since Juno, and the body that asks Keystone for its token.

use super::options::{AuthTokenService, IdOrName, JunoAuthToken, NovaService, ServiceOptions};
use oslo::config::{Config, Problem};
use serde_json::{Value, json};

/// The domain of users and projects of files that know no domains.
const DEFAULT_DOMAIN: &str = "default";

/// Who a service is.
#[derive(Clone, PartialEq)]
pub struct Credentials {
    /// Where Keystone is, as written.
    pub auth_url: String,
    /// The section it was read from, for messages.
    pub section: &'static str,
    /// What is posted to `/v3/auth/tokens`.
    pub body: Value,
}

/// Without the secrets.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials of [{}] at {}", self.section, self.auth_url)
    }
}

fn words(problem: Problem) -> String {
    problem.to_string()
}

/// What `[keystone_authtoken]` says; Juno's spelling counts where the others are silent.
///
/// # Errors
/// A value that cannot be read.
pub fn authtoken(config: &Config) -> Result<ServiceOptions, String> {
    const GROUP: &str = "keystone_authtoken";
    let options = AuthTokenService::load(&config.with_auth_section(GROUP)).map_err(words)?;
    let mut options = ServiceOptions::from(options);
    let juno = JunoAuthToken::load(config).map_err(words)?;
    if options.auth_url.is_none() && (juno.admin_user.is_some() || juno.identity_uri.is_some()) {
        let JunoAuthToken { auth_host, auth_port, auth_protocol, auth_admin_prefix, .. } = &juno;
        let apart = || format!("{auth_protocol}://{auth_host}:{auth_port}{auth_admin_prefix}");
        options.auth_url = Some(juno.identity_uri.clone().unwrap_or_else(apart));
    }
    if options.username.is_none() && options.user_id.is_none() {
        options.username = juno.admin_user;
        options.password = options.password.or(juno.admin_password);
        if options.project_name.is_none() && options.project_id.is_none() {
            options.project_name = options.username.is_some().then_some(juno.admin_tenant_name);
        }
    }
    Ok(options)
}

/// What `[nova]` says.
///
/// # Errors
/// A value that cannot be read.
pub fn nova(config: &Config) -> Result<ServiceOptions, String> {
    let options = NovaService::load(&config.with_auth_section("nova")).map_err(words)?;
    Ok(ServiceOptions::from(options))
}

impl Credentials {
    /// Credentials from what `section` says.
    ///
    /// # Errors
    /// What is missing, and what to write.
    pub fn new(section: &'static str, options: &ServiceOptions) -> Result<Credentials, String> {
        let missing = |what: &str| format!("[{section}] {what} is not set");
        let auth_url = options.auth_url.clone().ok_or_else(|| {
            format!("{}; write auth_url = http://controller:5000 (or where Keystone is)", missing("auth_url"))
        })?;
        let kind = options.auth_type.as_deref().unwrap_or("password");
        let auth = match kind {
            "password" | "v3password" | "v2password" => {
                json!({"identity": password(options, &missing)?, "scope": scope(options, &missing)?})
            }
            "v3applicationcredential" => json!({"identity": application(options, &missing)?}),
            other => {
                return Err(format!(
                    "[{section}] auth_type = {other}: it is none of password, v3password, v2password, \
                     v3applicationcredential; write auth_type = password"
                ));
            }
        };
        Ok(Credentials { auth_url, section, body: json!({"auth": auth}) })
    }
}

type Missing<'a> = dyn Fn(&str) -> String + 'a;

fn domain((id, name): &IdOrName, (general_id, general_name): &IdOrName) -> Value {
    match (id, name, general_id, general_name) {
        (Some(id), ..) | (None, None, Some(id), _) => json!({"id": id}),
        (None, Some(name), ..) | (None, None, None, Some(name)) => json!({"name": name}),
        (None, None, None, None) => json!({"id": DEFAULT_DOMAIN}),
    }
}

fn user(options: &ServiceOptions, missing: &Missing<'_>) -> Result<Value, String> {
    match (&options.user_id, &options.username) {
        (Some(id), _) => Ok(json!({"id": id})),
        (None, Some(name)) => {
            Ok(json!({"name": name, "domain": domain(&options.user_domain, &options.default_domain)}))
        }
        (None, None) => Err(missing("username")),
    }
}

fn password(options: &ServiceOptions, missing: &Missing<'_>) -> Result<Value, String> {
    let mut user = user(options, missing)?;
    user["password"] = json!(options.password.as_ref().ok_or_else(|| missing("password"))?);
    Ok(json!({"methods": ["password"], "password": {"user": user}}))
}

fn application(options: &ServiceOptions, missing: &Missing<'_>) -> Result<Value, String> {
    let secret = options.application_credential_secret.as_ref();
    let secret = secret.ok_or_else(|| missing("application_credential_secret"))?;
    let what = match &options.application_credential {
        (Some(id), _) => json!({"id": id, "secret": secret}),
        (None, Some(name)) => json!({"name": name, "secret": secret, "user": user(options, missing)?}),
        (None, None) => return Err(missing("application_credential_id")),
    };
    Ok(json!({"methods": ["application_credential"], "application_credential": what}))
}

fn scope(options: &ServiceOptions, missing: &Missing<'_>) -> Result<Value, String> {
    if let Some(trust) = &options.trust_id {
        return Ok(json!({"OS-TRUST:trust": {"id": trust}}));
    }
    if options.system_scope.is_some() {
        return Ok(json!({"system": {"all": true}}));
    }
    match (&options.project_id, &options.project_name, &options.domain) {
        (Some(id), ..) => Ok(json!({"project": {"id": id}})),
        (None, Some(name), _) => {
            let domain = domain(&options.project_domain, &options.default_domain);
            Ok(json!({"project": {"name": name, "domain": domain}}))
        }
        (None, None, (None, None)) => Err(missing("project_name")),
        (None, None, own) => Ok(json!({"domain": domain(own, &(None, None))})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Credentials, String> {
        let config = Config::parse("neutron.conf", text);
        Credentials::new("keystone_authtoken", &authtoken(&config)?)
    }

    #[test]
    fn every_spelling_makes_the_same_credentials() {
        let juno = "[keystone_authtoken]\nauth_uri = http://c:5000/v2.0\nidentity_uri = http://c:35357\n\
                    admin_tenant_name = service\nadmin_user = neutron\nadmin_password = x\n";
        let older = "[keystone_authtoken]\nauth_host = c\nauth_port = 35357\nauth_protocol = http\n\
                     admin_tenant_name = service\nadmin_user = neutron\nadmin_password = x\n";
        let liberty = "[keystone_authtoken]\nauth_uri = http://c:5000\nauth_url = http://c:35357\n\
                       auth_plugin = password\nproject_domain_id = default\nuser_domain_id = default\n\
                       project_name = service\nusername = neutron\npassword = x\n";
        let today = "[keystone_authtoken]\nwww_authenticate_uri = http://c:5000\nauth_url = http://c:35357\n\
                     auth_type = password\nproject_domain_name = Default\nuser_domain_name = Default\n\
                     project_name = service\nusername = neutron\npassword = x\n";
        let elsewhere = "[keystone_authtoken]\nauth_section = who\n[who]\nauth_url = http://c:35357\n\
                         auth_type = password\ntenant_name = service\nusername = neutron\npassword = x\n";
        let by_id = json!({"id": "default"});
        for (text, domain) in [
            (juno, &by_id),
            (older, &by_id),
            (liberty, &by_id),
            (today, &json!({"name": "Default"})),
            (elsewhere, &by_id),
        ] {
            let read = read(text).unwrap();
            assert_eq!(read.auth_url, "http://c:35357", "{text}");
            let wanted = json!({"auth": {
                "identity": {"methods": ["password"], "password": {"user":
                    {"name": "neutron", "domain": domain, "password": "x"}}},
                "scope": {"project": {"name": "service", "domain": domain}},
            }});
            assert_eq!(read.body, wanted, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, wanted) in [
            ("", "auth_url is not set"),
            ("auth_url = http://c", "username is not set"),
            ("auth_url = http://c\nusername = u", "password is not set"),
            ("auth_url = http://c\nusername = u\npassword = p", "project_name is not set"),
            ("auth_url = http://c\nauth_type = v3kerberos", "auth_type = v3kerberos"),
        ] {
            let refusal = read(&format!("[keystone_authtoken]\n{text}\n")).unwrap_err();
            assert!(refusal.contains(wanted), "{refusal}");
        }
    }
}
