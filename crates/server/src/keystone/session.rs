//! A service's own token, got once, renewed before it expires and whenever it is refused; requests made with it.

use super::authenticate::authenticate;
use super::http::{Answer, Ask};
use super::place::{self, Place};
use super::{Credentials, Http, Trouble};
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// Seconds before its end at which a token is renewed.
const SPARE_SECONDS: i64 = 120;

/// A service's token.
#[derive(Debug, Clone)]
pub struct Token {
    /// What goes into `X-Auth-Token`.
    pub id: String,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// Where Keystone's v3 is: `http://controller:5000/v3`.
    pub v3: Arc<str>,
    /// The catalog of services.
    pub catalog: Value,
}

/// A service at Keystone.
#[derive(Debug)]
pub struct Session {
    http: Http,
    credentials: Credentials,
    places: Vec<Place>,
    token: Mutex<Option<Arc<Token>>>,
    /// One asks, the others wait for what it gets.
    turn: tokio::sync::Mutex<()>,
}

impl Session {
    /// A session that has no token yet.
    pub fn new(http: Http, credentials: Credentials, www_authenticate_uri: Option<&str>) -> Session {
        let places = place::candidates(&credentials.auth_url, www_authenticate_uri);
        let (token, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        Session { http, credentials, places, token, turn }
    }

    fn kept(&self, now: i64) -> Option<Arc<Token>> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        token.filter(|token| token.expires - SPARE_SECONDS > now)
    }

    fn keep(&self, token: Option<Arc<Token>>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// The service's token, good for a while after `now`.
    ///
    /// # Errors
    /// Keystone cannot be reached, or refuses the service.
    pub async fn token(&self, now: i64) -> Result<Arc<Token>, Trouble> {
        if let Some(token) = self.kept(now) {
            return Ok(token);
        }
        let _turn = self.turn.lock().await;
        if let Some(token) = self.kept(now) {
            return Ok(token);
        }
        let token = Arc::new(authenticate(&self.http, &self.credentials, &self.places).await?);
        self.keep(Some(token.clone()));
        Ok(token)
    }

    /// Forgets a token that was refused, unless somebody else has renewed it already.
    fn forget(&self, refused: &Token) {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if token.as_ref().is_some_and(|kept| kept.id == refused.id) {
            *token = None;
        }
    }

    /// Sends a request with the service's token, once more with a fresh one when it is refused. `url` makes the
    /// address from what the token says of Keystone and the catalog.
    ///
    /// # Errors
    /// Keystone or the service asked cannot be reached, or Keystone refuses the service.
    pub async fn send(
        &self,
        now: i64,
        method: Method,
        url: impl Fn(&Token) -> Result<String, Trouble>,
        headers: &[(&'static str, &str)],
        body: Option<Bytes>,
    ) -> Result<Answer, Trouble> {
        let mut renewed = false;
        loop {
            let token = self.token(now).await?;
            let url = url(&token)?;
            let mut all = vec![("X-Auth-Token", token.id.as_str())];
            all.extend(headers.iter().copied());
            let ask = Ask { method: method.clone(), url: &url, headers: &all, body: body.clone() };
            let answer = self.http.send(ask).await;
            // Where Keystone was once found, it may not be any more; what another service does says nothing of it.
            let lost = |_: &String| {
                if url.starts_with(&*token.v3) {
                    self.forget(&token);
                }
            };
            let answer = answer.inspect_err(lost).map_err(Trouble::Unreachable)?;
            if answer.status != 401 {
                return Ok(answer);
            }
            self.forget(&token);
            if renewed {
                return Err(Trouble::Refused { words: answer.words(), status: 401, url });
            }
            renewed = true;
        }
    }
}

/// An address from a catalog: the first endpoint of `service` with this interface, in this region where one is
/// named.
pub fn endpoint(catalog: &Value, service: &str, interface: &str, region: Option<&str>) -> Option<String> {
    // Files before v3 wrote publicURL.
    let interface = interface.strip_suffix("URL").unwrap_or(interface);
    let services = catalog.as_array().into_iter().flatten().filter(|entry| entry["type"] == service);
    let mut endpoints = services.flat_map(|entry| entry["endpoints"].as_array().into_iter().flatten());
    let fits = |endpoint: &&Value| {
        let here = |region: &str| endpoint["region_id"] == region || endpoint["region"] == region;
        endpoint["interface"] == interface && region.is_none_or(here)
    };
    endpoints.find(fits)?["url"].as_str().map(|url| url.trim_end_matches('/').to_string())
}
