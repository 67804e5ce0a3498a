//! What the metadata agent says: the signature that Nova checks, which of Nova's answers pass and what the
//! others become. Pure.

use std::fmt::Write as _;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac as _};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use sha2::Sha256;

/// The words of Neutron for what went wrong.
const UNKNOWN: &str = "An unknown error has occurred. Please try your request again.";
const UNAVAILABLE: &str = "The remote metadata server is temporarily unavailable. Please try again later.";
const NOVA_FAILED: &str = "Remote metadata server experienced an internal server error.";

/// An answer to an instance.
pub type Answer = Response<Full<Bytes>>;

/// Shows Nova that the instance's id comes from someone who knows the shared secret: HMAC-SHA256 in hexadecimal.
pub fn signature(secret: &str, instance_id: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(instance_id.as_bytes());
    let mut text = String::new();
    for byte in mac.finalize().into_bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What Nova said, as the instance gets it: what went well as it is, known failures in words of our own.
pub fn from_nova(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Answer {
    match status.as_u16() {
        200 => {
            let mut response = Response::new(Full::new(body));
            let default = HeaderValue::from_static("text/html; charset=UTF-8");
            response.headers_mut().insert(CONTENT_TYPE, content_type.unwrap_or(default));
            response
        }
        403 => {
            tracing::warn!(
                "Nova forbids a metadata request; this usually means that the shared secrets differ"
            );
            failure(status, "Access was denied to this resource.")
        }
        500 => {
            tracing::warn!("Nova's metadata service failed");
            failure(status, NOVA_FAILED)
        }
        400 | 404 | 409 | 502 | 503 | 504 => failure(status, explanation(status)),
        odd => {
            tracing::error!("Nova answered a metadata request with {odd}");
            unknown()
        }
    }
}

/// Nobody is known under the address.
pub fn not_found() -> Answer {
    failure(StatusCode::NOT_FOUND, explanation(StatusCode::NOT_FOUND))
}

/// Nova cannot be reached.
pub fn unavailable() -> Answer {
    failure(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE)
}

/// Something went wrong on our side.
pub fn unknown() -> Answer {
    failure(StatusCode::INTERNAL_SERVER_ERROR, UNKNOWN)
}

/// The request's body is larger than we take.
pub fn too_large() -> Answer {
    failure(StatusCode::PAYLOAD_TOO_LARGE, "The body of the request is too large.")
}

fn explanation(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => {
            "The server could not comply with the request since it is either malformed or otherwise incorrect."
        }
        404 => "The resource could not be found.",
        409 => "There was a conflict when trying to complete your request.",
        502 => "Bad gateway.",
        503 => "The server is currently unavailable. Please try again at a later time.",
        504 => "The gateway has timed out.",
        _ => UNKNOWN,
    }
}

/// A failure as a page, in the form that instances get from Neutron's own agent.
fn failure(status: StatusCode, explanation: &str) -> Answer {
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let page = format!(
        "<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n  {explanation}<br /><br />\n\n\n\n </body>\n</html>"
    );
    let mut response = Response::new(Full::new(page.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_every_hmac() {
        // echo -n i-0001 | openssl dgst -sha256 -hmac secret
        assert_eq!(
            signature("secret", "i-0001"),
            "d4db688ef1e8d70144c215f218e21de46d70f08b2b5281eea8d04e2374b00f09"
        );
    }

    #[test]
    fn known_failures_keep_their_status_and_others_become_ours() {
        let status = |code: u16| {
            let status = StatusCode::from_u16(code).unwrap();
            from_nova(status, None, Bytes::new()).status().as_u16()
        };
        for code in [200, 400, 403, 404, 409, 500, 502, 503, 504] {
            assert_eq!(status(code), code);
        }
        for code in [201, 204, 302, 401, 418] {
            assert_eq!(status(code), 500);
        }
    }
}
