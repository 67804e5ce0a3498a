//! Who asks: `auth_strategy = keystone` has Keystone say it ([`authtoken`]), `noauth` believes the headers
//! ([`noauth`]).

pub mod access_rules;
pub mod authtoken;
pub mod cache;
pub mod identity;
pub mod noauth;
pub mod options;
pub mod start;

use crate::api::Asked;
use crate::api::answer::Reply;
use oslo::context::Context;

/// Who says who asks.
#[derive(Debug)]
pub enum Strategy {
    /// The headers of a request: whoever reaches the server is trusted.
    Noauth,
    /// Keystone.
    Keystone(Box<authtoken::AuthToken>),
}

impl Strategy {
    /// The identity behind a request, or the answer that refuses it. `now`: seconds since 1970.
    ///
    /// # Errors
    /// 401 and 503, ready to be sent.
    pub async fn identify(&self, asked: &Asked, request_id: &str, now: i64) -> Result<Context, Reply> {
        match self {
            Strategy::Noauth => Ok(noauth::noauth(&asked.headers, request_id.to_string())),
            Strategy::Keystone(authtoken) => {
                let who = authtoken.identify(asked, request_id, now).await;
                who.map_err(|refusal| refusal.reply(authtoken.www_authenticate_uri()))
            }
        }
    }
}
