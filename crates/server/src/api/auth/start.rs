//! From the configuration to whoever says who asks.

use super::Strategy;
use super::authtoken::AuthToken;
use super::options::{self, AuthTokenOptions, PasteOptions};
use crate::keystone::options::{AuthTokenService, JunoAuthToken};
use crate::keystone::{Credentials, Http, Session, credentials, http};
use oslo::config::{Config, Opt, Problem};
use std::path::Path;
use std::time::Duration;

/// The section that all of this is in.
const GROUP: &str = "keystone_authtoken";

/// Every option that is read here.
pub fn declared() -> Vec<Opt> {
    [
        PasteOptions::declared(),
        AuthTokenOptions::declared(),
        AuthTokenService::declared(),
        JunoAuthToken::declared(),
    ]
    .concat()
}

/// The first value of [`declared`] that cannot be read.
pub fn unreadable(config: &Config) -> Option<Problem> {
    let all = [
        PasteOptions::load(config).err(),
        AuthTokenOptions::load(config).err(),
        AuthTokenService::load(config).err(),
        JunoAuthToken::load(config).err(),
    ];
    all.into_iter().flatten().next()
}

/// Whoever says who asks. `home` is the folder of the configuration file. Keystone need not be there yet.
///
/// # Errors
/// What is wrong with the configuration, where, and what to do.
pub fn strategy(config: &Config, home: &Path, auth_strategy: &str) -> Result<Strategy, String> {
    let place = |group: &str, name: &str| {
        config.place(group, name).map_or_else(String::new, |place| format!("{place}: "))
    };
    match auth_strategy {
        "noauth" => Ok(Strategy::Noauth),
        "keystone" => {
            let config = options::with_paste(config, home)?;
            keystone(&config).map(|all| Strategy::Keystone(Box::new(all))).map_err(|why| {
                format!("{}[DEFAULT] auth_strategy = keystone: {why}", place("DEFAULT", "auth_strategy"))
            })
        }
        other => Err(format!(
            "{}[DEFAULT] auth_strategy = {other}: it is neither keystone nor noauth",
            place("DEFAULT", "auth_strategy")
        )),
    }
}

fn keystone(config: &Config) -> Result<AuthToken, String> {
    let options = AuthTokenOptions::load(config).map_err(|p| p.to_string())?;
    let service = credentials::authtoken(config)?;
    let credentials = Credentials::new(GROUP, &service)?;
    let timeout = options.http_connect_timeout.map_or(http::TIMEOUT, Duration::from_secs);
    let http = Http::new(service.tls, timeout);
    let www = options.www_authenticate_uri.clone();
    if www.is_none() {
        tracing::warn!(
            "[{GROUP}] www_authenticate_uri is not set: clients without a token are sent to {}",
            credentials.auth_url
        );
    }
    let said = www.clone().unwrap_or_else(|| credentials.auth_url.clone());
    let session = Session::new(http, credentials, www.as_deref());
    Ok(AuthToken::new(session, options, said))
}
