//! The line that each request leaves in the log, and its part in the figures.

use crate::app::App;
use crate::metrics;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use std::net::SocketAddr;
use std::time::Instant;

/// A request whose answer is still to come.
pub struct Access {
    client: Option<SocketAddr>,
    method: http::Method,
    target: String,
    version: http::Version,
    resource: &'static str,
    started: Instant,
}

impl Access {
    /// Takes note of a request that came in just now.
    pub fn begin(app: &App, request: &Request) -> Access {
        let client = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let uri = request.uri();
        Access {
            client,
            method: request.method().clone(),
            target: uri.path_and_query().map_or_else(|| uri.path().to_string(), ToString::to_string),
            version: request.version(),
            resource: resource(app, uri.path()),
            started: Instant::now(),
        }
    }

    /// Writes the line, in the words of Neutron's own server.
    pub fn end(self, response: &Response) {
        use hyper::body::Body as _;
        let seconds = self.started.elapsed().as_secs_f64();
        let status = response.status().as_u16();
        metrics::request(self.method.as_str(), self.resource, status, seconds);
        let client =
            self.client.map_or_else(|| "-".to_string(), |client| client.ip().to_canonical().to_string());
        let length = response.body().size_hint().exact().unwrap_or(0);
        tracing::info!(
            target: "neutron.wsgi",
            "{client} \"{} {} {:?}\" status: {status}  len: {length} time: {seconds:.7}",
            self.method, self.target, self.version
        );
    }
}

/// The collection that a path begins with: figures are kept by it, so it must be one of a few words.
fn resource(app: &App, path: &str) -> &'static str {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    match (parts.next(), parts.next()) {
        (Some("v2.0"), Some(name)) => {
            let name = name.strip_suffix(".json").unwrap_or(name).replace('-', "_");
            app.catalog.collection(&name).map_or("other", |shape| shape.resource.collection)
        }
        (Some("healthcheck"), None) => "healthcheck",
        _ => "other",
    }
}
