//! What `[keystone_authtoken]` says beside the service's own credentials, and the same from `api-paste.ini`.

use oslo::config::Config;
use std::path::Path;

oslo::options! {
    /// How tokens are checked.
    pub struct AuthTokenOptions in "keystone_authtoken" {
        /// Where clients are told to get a token.
        www_authenticate_uri: Option<String> = None, was [("keystone_authtoken", "auth_uri")];
        /// Let requests without a valid token through to the API, which refuses them in its own words.
        delay_auth_decision: bool = false;
        /// Seconds that Keystone may take to answer; unset = 30.
        http_connect_timeout: Option<u64> = None;
        /// How often a request that did not reach Keystone is sent again.
        http_request_max_retries: u32 = 3;
        /// Seconds for which a token that Keystone has confirmed is believed, never beyond its own end;
        /// -1 = each request asks Keystone.
        token_cache_time: i64 = 300;
        /// Roles of which a service token needs one.
        service_token_roles: Vec<String> = vec!["service".into()];
        /// Whether a service token without such a role is refused.
        service_token_roles_required: bool = true;
        /// This service's type in access rules of application credentials; unset = network.
        service_type: Option<String> = None;
    }
}

oslo::options! {
    /// The file of upstream's pipeline.
    pub struct PasteOptions in "DEFAULT" {
        /// A file whose [filter:authtoken] may hold options of [keystone_authtoken]; they win over those of the other
        /// files. A relative path starts at the folder of the configuration file. Nothing else of it is read.
        api_paste_config: String = "api-paste.ini".into();
    }
}

/// The configuration with what `[filter:authtoken]` of `api-paste.ini` says laid over `[keystone_authtoken]`. `home` is
/// the folder of the configuration file. A missing file says nothing.
///
/// # Errors
/// A file that cannot be read.
pub fn with_paste(config: &Config, home: &Path) -> Result<Config, String> {
    let options = PasteOptions::load(config).map_err(|p| p.to_string())?;
    let file = home.join(&options.api_paste_config);
    if !file.is_file() {
        return Ok(config.clone());
    }
    let paste = Config::read(&[file], &[]).map_err(|p| p.to_string())?;
    let mut config = config.clone();
    config.lay_section("filter:authtoken", &paste, "keystone_authtoken");
    Ok(config)
}
