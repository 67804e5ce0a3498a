//! Getting a token: find v3, post the credentials.

use super::http::Ask;
use super::place::{self, Place};
use super::{Credentials, Http, Token, Trouble};
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use std::sync::Arc;

/// Seconds since 1970 of a moment as Keystone writes it: `2026-11-22T02:07:00.000000Z`.
pub fn moment(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// Asks each candidate until one answers, and there for a token.
///
/// # Errors
/// Nobody answered, or Keystone refused.
pub async fn authenticate(
    http: &Http,
    credentials: &Credentials,
    places: &[Place],
) -> Result<Token, Trouble> {
    let mut tried = Vec::new();
    for (at, place) in places.iter().enumerate() {
        match at_place(http, credentials, place).await {
            Ok(token) => {
                if at > 0 {
                    tracing::warn!(
                        "[{}] auth_url = {}: nobody answers there ({}); Keystone answers at {} ({}), which is used",
                        credentials.section,
                        credentials.auth_url,
                        tried.join("; "),
                        token.v3,
                        place.from
                    );
                }
                return Ok(token);
            }
            Err(Trouble::Unreachable(why)) => tried.push(why),
            Err(other) => return Err(other),
        }
    }
    Err(Trouble::Unreachable(tried.join("; ")))
}

async fn at_place(http: &Http, credentials: &Credentials, place: &Place) -> Result<Token, Trouble> {
    let v3 = if place.v3 { format!("{}/v3", place.root) } else { discover(http, place).await? };
    let url = format!("{v3}/auth/tokens");
    let body = Some(Bytes::from(credentials.body.to_string()));
    let ask = Ask { method: Method::POST, url: &url, headers: &[], body };
    let answer = http.send(ask).await.map_err(Trouble::Unreachable)?;
    if answer.status != 201 {
        return Err(Trouble::Refused { words: answer.words(), status: answer.status, url });
    }
    let id = answer.headers.get("x-subject-token").and_then(|value| value.to_str().ok());
    let mut body = answer.json();
    let expires = body["token"]["expires_at"].as_str().and_then(moment);
    match (id, expires) {
        (Some(id), Some(expires)) => {
            let catalog: Value = body["token"]["catalog"].take();
            Ok(Token { id: id.to_string(), expires, v3: Arc::from(v3), catalog })
        }
        _ => Err(Trouble::Odd(format!("{url} answered {} without a token", answer.status))),
    }
}

/// Where v3 is below a root, by asking the root for its versions.
async fn discover(http: &Http, place: &Place) -> Result<String, Trouble> {
    let url = format!("{}/", place.root);
    let ask = Ask { method: Method::GET, url: &url, headers: &[], body: None };
    let answer = http.send(ask).await.map_err(Trouble::Unreachable)?;
    let versions = answer.json();
    if versions.is_null() {
        // A proxy in front may know /v3 alone.
        return Ok(format!("{}/v3", place.root));
    }
    place::v3_in(&versions, &place.root).ok_or_else(|| {
        Trouble::Odd(format!("{url} does not offer version 3 of the identity API, the only one spoken here"))
    })
}
