//! HTTP to other services: a few connections kept open, TLS set up only when an address begins with `https`.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
pub use oslo::tls::Tls;
use std::sync::OnceLock;
use std::time::Duration;

/// The longest answer that is read: a token with the catalog of a large cloud takes a hundredth of it.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Connections to one host that are kept open while nobody needs them.
const IDLE_MAX: usize = 8;
/// How long they are kept.
const IDLE: Duration = Duration::from_secs(30);
/// How long a connection may take to be made: a host that is gone must not hold up the next address to try.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a service may take to answer where no option says.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What the answer says in words: Keystone's and Nova's own, or the first of its text.
    pub fn words(&self) -> String {
        let json = self.json();
        let kinds = ["error", "badRequest", "itemNotFound", "computeFault", "forbidden", "unauthorized"];
        let said = kinds.iter().find_map(|kind| json[*kind]["message"].as_str());
        said.map_or_else(
            || String::from_utf8_lossy(&self.body).trim().chars().take(200).collect(),
            str::to_string,
        )
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: &'a str,
    /// Headers beside the usual ones.
    pub headers: &'a [(&'static str, &'a str)],
    /// A JSON body.
    pub body: Option<Bytes>,
}

/// Sends requests over a few connections that are kept open.
#[derive(Debug)]
pub struct Http {
    tls: Tls,
    timeout: Duration,
    plain: Client<HttpConnector, Full<Bytes>>,
    secure: OnceLock<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>,
}

impl Http {
    /// A client that has not connected yet; `timeout` bounds each request.
    pub fn new(tls: Tls, timeout: Duration) -> Http {
        Http { plain: builder().build(connector(timeout)), tls, timeout, secure: OnceLock::new() }
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// Why nobody answered.
    pub async fn send(&self, ask: Ask<'_>) -> Result<Answer, String> {
        let url = ask.url;
        let answered = tokio::time::timeout(self.timeout, self.exchange(ask)).await;
        let answered = answered.unwrap_or_else(|_| Err(format!("no answer in {} s", self.timeout.as_secs())));
        answered.map_err(|why| format!("{url}: {why}"))
    }

    async fn exchange(&self, ask: Ask<'_>) -> Result<Answer, String> {
        let mut request = Request::builder().method(ask.method).uri(ask.url);
        request = request.header("Accept", "application/json").header("User-Agent", "neutron-rs");
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        if ask.body.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let body = Full::new(ask.body.unwrap_or_default());
        let request = request.body(body).map_err(|e| e.to_string())?;
        let response = if request.uri().scheme_str() == Some("https") {
            self.secure()?.request(request).await
        } else {
            self.plain.request(request).await
        };
        let (parts, body) = response.map_err(|e| causes(&e))?.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|e| e.to_string())?;
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() })
    }

    fn secure(&self) -> Result<&Client<HttpsConnector<HttpConnector>, Full<Bytes>>, String> {
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let mut inner = connector(self.timeout);
        inner.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(self.tls.client()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(inner);
        Ok(self.secure.get_or_init(|| builder().build(connector)))
    }
}

fn connector(timeout: Duration) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(timeout.min(CONNECT)));
    connector
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_max_idle_per_host(IDLE_MAX).pool_idle_timeout(IDLE).pool_timer(TokioTimer::new());
    builder
}

/// An error with what caused it: the outermost alone says "client error (Connect)".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}
