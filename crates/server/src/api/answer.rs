//! Answers on their way out: JSON, the plain words of paths outside the API, headers.

use crate::fault::Fault;
use axum::body::Body as HttpBody;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

/// An answer before it becomes HTTP.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Content,
    /// What `WWW-Authenticate` says, of a 401.
    pub challenge: Option<String>,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Content {
    /// 204 and the like.
    Nothing,
    /// JSON, written already.
    Json(Vec<u8>),
    /// Plain words, as upstream's framework writes them outside of the API.
    Plain(String),
    /// A page.
    Html(String),
}

impl Reply {
    /// JSON that is written already.
    pub fn json(status: u16, bytes: Vec<u8>) -> Reply {
        Reply { status, body: Content::Json(bytes), challenge: None }
    }

    /// A JSON value.
    pub fn value(status: u16, value: &serde_json::Value) -> Reply {
        Reply::json(status, value.to_string().into_bytes())
    }

    /// Nothing but a status.
    pub fn empty(status: u16) -> Reply {
        Reply { status, body: Content::Nothing, challenge: None }
    }

    /// Upstream's plain 404, with a detail or without.
    pub fn plain_not_found(detail: &str) -> Reply {
        let text = format!("404 Not Found\n\nThe resource could not be found.\n\n {detail}  ");
        Reply { status: 404, body: Content::Plain(text), challenge: None }
    }

    /// Upstream's plain 405.
    pub fn plain_not_allowed(method: &str) -> Reply {
        let text =
            format!("405 Method Not Allowed\n\nThe method {method} is not allowed for this resource. \n\n ");
        Reply { status: 405, body: Content::Plain(text), challenge: None }
    }

    /// The whole HTTP response.
    pub fn into_response(self, request_id: &str) -> Response {
        let mut response = match self.body {
            Content::Nothing => Response::new(HttpBody::empty()),
            Content::Json(bytes) => with_type(HttpBody::from(bytes), "application/json"),
            Content::Plain(text) => with_type(HttpBody::from(text), "text/plain; charset=UTF-8"),
            Content::Html(text) => with_type(HttpBody::from(text), "text/html; charset=UTF-8"),
        };
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(challenge) = self.challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Ok(id) = HeaderValue::from_str(request_id) {
            response.headers_mut().insert("x-openstack-request-id", id);
        }
        response
    }
}

fn with_type(body: HttpBody, kind: &'static str) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Reply {
        if let Fault::Internal { detail } = &fault {
            tracing::error!(detail, "a request failed");
        }
        Reply::value(fault.status(), &fault.json())
    }
}
