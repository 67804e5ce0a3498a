//! keystonemiddleware's part: tokens are checked by asking Keystone, refusals have its words.

use super::cache::{Cache, Known};
use super::identity::{self, Identity};
use super::options::AuthTokenOptions;
use crate::api::Asked;
use crate::api::answer::{Content, Reply};
use crate::keystone::{Session, Trouble};
use http::Method;
use oslo::context::Context;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Tells Keystone that access rules of application credentials are kept here.
const ACCESS_RULES: (&str, &str) = ("OpenStack-Identity-Access-Rules", "1");
/// This service in access rules, where no option says otherwise.
const SERVICE_TYPE: &str = "network";

/// The longest token that is asked about, in bytes: Keystone's own are a few hundred.
const TOKEN_BYTES_MAX: usize = 4096;
/// How long finding out about a token may take, all tries together.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks tokens by asking Keystone.
#[derive(Debug)]
pub struct AuthToken {
    session: Session,
    options: AuthTokenOptions,
    www_authenticate_uri: String,
    cache: Cache,
}

/// Why a request gets no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No token, or one that is not valid.
    Unauthorized,
    /// The same, said by the API itself (`delay_auth_decision`).
    NoUser,
    /// Keystone cannot be asked.
    Unavailable,
}

impl Refusal {
    /// The answer, in the words of keystonemiddleware.
    pub fn reply(self, www_authenticate_uri: &str) -> Reply {
        let plain = |title: &str, text: &str| format!("{title}\n\n{text}");
        let (status, body) = match self {
            Refusal::Unauthorized => {
                let message = "The request you have made requires authentication.";
                let error = json!({"error": {"code": 401, "title": "Unauthorized", "message": message}});
                (401, Content::Json(error.to_string().into_bytes()))
            }
            Refusal::NoUser => {
                let text = "This server could not verify that you are authorized to access the document you \
                            requested.  Either you supplied the wrong credentials (e.g., bad password), or your \
                            browser does not understand how to supply the credentials required.\n\n   ";
                (401, Content::Plain(plain("401 Unauthorized", text)))
            }
            Refusal::Unavailable => {
                let text = "The server is currently unavailable. Please try again at a later time.\n\n The \
                            Keystone service is temporarily unavailable.  ";
                (503, Content::Plain(plain("503 Service Unavailable", text)))
            }
        };
        let challenge = (status == 401).then(|| format!("Keystone uri=\"{www_authenticate_uri}\""));
        Reply { status, body, challenge }
    }
}

impl AuthToken {
    /// Checks tokens with the service's session.
    pub fn new(session: Session, options: AuthTokenOptions, www_authenticate_uri: String) -> AuthToken {
        let cache = Cache::new(options.token_cache_time);
        AuthToken { session, options, www_authenticate_uri, cache }
    }

    /// Where clients are told to get a token.
    pub fn www_authenticate_uri(&self) -> &str {
        &self.www_authenticate_uri
    }

    /// Who asks. Identity headers of the client's are not looked at. `now`: seconds since 1970.
    ///
    /// # Errors
    /// Why the request gets no further.
    pub async fn identify(&self, asked: &Asked, request_id: &str, now: i64) -> Result<Context, Refusal> {
        match self.confirmed(asked, now).await {
            Ok(mut who) => {
                who.request_id = request_id.to_string();
                Ok(who)
            }
            Err(_) if self.options.delay_auth_decision => Err(Refusal::NoUser),
            Err(refusal) => Err(refusal),
        }
    }

    async fn confirmed(&self, asked: &Asked, now: i64) -> Result<Context, Refusal> {
        let header = |name| asked.header(name).map(str::trim).filter(|token| !token.is_empty());
        let service = match header("x-service-token") {
            Some(token) => Some(self.service(token, now).await?),
            None => None,
        };
        let Some(token) = header("x-auth-token").or_else(|| header("x-storage-token")) else {
            return Err(Refusal::Unauthorized);
        };
        let late = service.as_ref().is_some_and(|service| self.trusted(service));
        let identity = self.known(token, late, now).await?;
        if let (Some(rules), None) = (&identity.access_rules, &service) {
            let kind = self.options.service_type.as_deref().unwrap_or(SERVICE_TYPE);
            if !rules.iter().any(|rule| rule.allows(kind, asked.method.as_str(), &asked.path)) {
                return Err(Refusal::Unauthorized);
            }
        }
        let mut who = identity.who.clone();
        if let Some(service) = service {
            who.service_roles = service.who.roles.clone();
            who.service_user_id = service.who.user_id.clone();
            who.service_project_id = service.who.project_id.clone();
        }
        Ok(who)
    }

    /// Who sends a request on behalf of another.
    async fn service(&self, token: &str, now: i64) -> Result<Arc<Identity>, Refusal> {
        let identity = self.known(token, false, now).await?;
        if self.options.service_token_roles_required && !self.trusted(&identity) {
            return Err(Refusal::Unauthorized);
        }
        Ok(identity)
    }

    /// Whether a service may bring a token that has ended while it worked.
    fn trusted(&self, service: &Identity) -> bool {
        let roles: BTreeSet<String> =
            self.options.service_token_roles.iter().map(|role| role.to_lowercase()).collect();
        !roles.is_disjoint(&service.who.roles)
    }

    async fn known(&self, token: &str, late: bool, now: i64) -> Result<Arc<Identity>, Refusal> {
        // What cannot be a token costs nobody a question.
        if token.len() > TOKEN_BYTES_MAX || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refusal::Unauthorized);
        }
        // A token that may be late is another question to Keystone; no token holds a blank.
        let key = if late { format!("{token} late") } else { token.to_string() };
        let ask = async || {
            let asked = tokio::time::timeout(PATIENCE, self.ask(token, late, now)).await;
            asked.unwrap_or_else(|_| Known::Unavailable("Keystone does not answer".into()))
        };
        match self.cache.get(&key, now, ask).await {
            Known::Valid(identity) if late || identity.expires > now => Ok(identity),
            Known::Valid(_) | Known::Invalid => Err(Refusal::Unauthorized),
            Known::Unavailable(_) => Err(Refusal::Unavailable),
        }
    }

    async fn ask(&self, token: &str, late: bool, now: i64) -> Known {
        let mut tries = 0;
        loop {
            match self.ask_once(token, late, now).await {
                Ok(known) => return known,
                Err(Trouble::Unreachable(why)) if tries < self.options.http_request_max_retries => {
                    tries += 1;
                    tracing::debug!("Keystone cannot be asked: {why}; once more");
                }
                Err(trouble) => {
                    tracing::error!(
                        "a token cannot be checked: {trouble}; [keystone_authtoken] auth_url, username and password \
                         say where Keystone is and who this service is"
                    );
                    return Known::Unavailable(Arc::from(trouble.to_string()));
                }
            }
        }
    }

    async fn ask_once(&self, token: &str, late: bool, now: i64) -> Result<Known, Trouble> {
        let late = if late { "&allow_expired=1" } else { "" };
        let url = |own: &crate::keystone::Token| Ok(format!("{}/auth/tokens?nocatalog{late}", own.v3));
        let headers = [("X-Subject-Token", token), ACCESS_RULES];
        let answer = self.session.send(now, Method::GET, url, &headers, None).await?;
        match answer.status {
            200 => Ok(match identity::read(&answer.json()) {
                Some(identity) => Known::Valid(Arc::new(identity)),
                None => Known::Invalid,
            }),
            404 => Ok(Known::Invalid),
            status => {
                Err(Trouble::Refused { url: "GET /v3/auth/tokens".into(), status, words: answer.words() })
            }
        }
    }
}
