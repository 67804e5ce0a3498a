//! The REST API: one engine for every declared resource.
//!
//! A request's way: [`route`] finds what is meant, [`auth`] who asks, [`admit`] what the body says,
//! [`pipeline`] does it inside one transaction, [`view`] writes the answer.

pub mod access;
pub mod admit;
pub mod answer;
pub mod auth;
pub mod health;
pub mod list;
pub mod pipeline;
pub mod query;
pub mod route;
pub mod tags;
pub mod versions;
pub mod view;

use crate::app::App;
use crate::extension::{Call, Method};
use crate::fault::Fault;
use crate::request::Rq;
use answer::Reply;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::ListenerExt;
use http::HeaderMap;
use http_body_util::{BodyExt, Limited};
use oslo::context::Context;
use route::Place;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tracing::Instrument as _;

/// The longest body that is read; upstream sets no limit of its own.
const BODY_BYTES_MAX: usize = 4 << 20;

/// The whole API as a service.
pub fn router(app: Arc<App>) -> axum::Router {
    axum::Router::new().fallback(serve).with_state(app)
}

/// Serves the API on a socket that listens already, until `stop` is done; requests under way are finished.
pub async fn serve_on(
    app: Arc<App>,
    listener: tokio::net::TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    // Answers are small: waiting for more to fill a packet would cost 40 ms each.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

/// One request, taken apart.
pub struct Asked {
    /// The method, in capitals.
    pub method: http::Method,
    /// The decoded path.
    pub path: String,
    /// The query's parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: bytes::Bytes,
}

impl Asked {
    /// A header as text; none when it is missing or no UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// The address of the path as the client wrote it: `http://controller:9696/v2.0/networks`.
    pub fn path_url(&self) -> String {
        let scheme = self.header("x-forwarded-proto").unwrap_or("http");
        let host = self.header("host").unwrap_or("localhost");
        format!("{scheme}://{host}{}", query::quote_path(&self.path))
    }
}

async fn serve(State(app): State<Arc<App>>, request: Request) -> Response {
    let request_id = format!("req-{}", app.fresh_id());
    let access = access::Access::begin(&app, &request);
    let span = oslo::log::request_span(&request_id);
    if let Some(global) = global_request_id(request.headers()) {
        span.record("global_request_id", global);
    }
    let work = async move {
        let reply = match read(request).await {
            Ok(asked) if asked.path == health::PATH => healthcheck(&app, &asked),
            Ok(asked) => answer(&app, &asked, &request_id).await,
            Err(fault) => fault.into(),
        };
        let response = reply.into_response(&request_id);
        access.end(&response);
        response
    };
    work.instrument(span).await
}

/// The id that another service gave to the request behind this one.
fn global_request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get("x-openstack-request-id")?.to_str().ok()?;
    id.strip_prefix("req-").filter(|uuid| uuid::Uuid::try_parse(uuid).is_ok()).map(|_| id)
}

fn healthcheck(app: &App, asked: &Asked) -> Reply {
    health::answer(&app.health, asked.method.as_str(), asked.header("accept"), app.port)
}

async fn read(request: Request) -> Result<Asked, Fault> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| Fault::BodyTooLarge {})?;
    Ok(Asked {
        method: parts.method,
        path: query::decode_path(parts.uri.path()),
        query: parts.uri.query().map(query::decode).unwrap_or_default(),
        headers: parts.headers,
        body: body.to_bytes(),
    })
}

async fn answer(app: &App, asked: &Asked, request_id: &str) -> Reply {
    let place = route::place(&app.catalog, asked);
    if !place.is_public() {
        return match app.auth.identify(asked, request_id, (app.clock)()).await {
            Ok(who) => answer_to(app, asked, place, who).await,
            Err(refusal) => refusal,
        };
    }
    versions::answer(app, asked, &place).unwrap_or_else(|| Fault::no_resource().into())
}

/// The answer to somebody who is known.
async fn answer_to(app: &App, asked: &Asked, place: Place<'_>, who: Context) -> Reply {
    if let Some(reply) = versions::answer(app, asked, &place) {
        return reply;
    }
    if !accepts_json(asked) {
        return Fault::NotAcceptable {}.into();
    }
    let ctx = pipeline::with_powers(app, who);
    name_caller(&ctx);
    let rq = Rq { app, ctx: &ctx };
    resource(rq, asked, place).await.unwrap_or_else(Reply::from)
}

/// Lines of the log that belong to this request name who asks from now on.
fn name_caller(ctx: &Context) {
    let span = tracing::Span::current();
    for (field, value) in
        [("user", &ctx.user_id), ("project", &ctx.project_id), ("system_scope", &ctx.system_scope)]
    {
        if let Some(value) = value {
            span.record(field, value.as_str());
        }
    }
}

/// Whether the client takes JSON at all.
fn accepts_json(asked: &Asked) -> bool {
    let Some(accept) = asked.header("accept").filter(|a| !a.trim().is_empty()) else { return true };
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_lowercase();
        let refused = parts.any(|p| matches!(p, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        !refused && matches!(kind.as_str(), "*/*" | "application/*" | "application/json")
    })
}

async fn resource(rq: Rq<'_>, asked: &Asked, place: Place<'_>) -> Result<Reply, Fault> {
    match (place, asked.method.as_str()) {
        (Place::Collection(shape), "GET" | "OPTIONS") => list::list(rq, shape, asked).await,
        (Place::Collection(shape), "POST") => pipeline::create(rq, shape, asked).await,
        // Upstream routes these two like requests for an item without an id.
        (Place::Collection(shape), "PUT") => pipeline::update(rq, shape, "None", asked).await,
        (Place::Collection(shape), "DELETE") => pipeline::delete(rq, shape, "None", asked).await,
        (Place::Item(shape, id), "GET" | "OPTIONS") => pipeline::show(rq, shape, &id, asked).await,
        (Place::Item(shape, id), "PUT") => pipeline::update(rq, shape, &id, asked).await,
        (Place::Item(shape, id), "DELETE") => pipeline::delete(rq, shape, &id, asked).await,
        (Place::Member(shape, id, name), method) => {
            match shape.resource.actions.iter().find(|a| a.name == name) {
                Some(action) if is(action.method, method) => {
                    pipeline::act(rq, shape, &id, action, asked).await
                }
                Some(_) => Err(Fault::MethodNotAllowed {}),
                None => Err(Fault::no_resource()),
            }
        }
        (Place::Tags(shape, id, tag), method) => {
            tags::answer(rq, shape, &id, tag.as_deref(), method, asked).await
        }
        (Place::Route(path, routes), method) => match routes.iter().find(|r| is(r.method, method)) {
            Some(route) => custom(rq, route, path, asked).await,
            None => Err(Fault::MethodNotAllowed {}),
        },
        (Place::Collection(_) | Place::Item(..), _) => Err(Fault::MethodNotAllowed {}),
        _ => Err(Fault::no_resource()),
    }
}

fn is(method: Method, name: &str) -> bool {
    matches!(
        (method, name),
        (Method::Get, "GET" | "OPTIONS")
            | (Method::Post, "POST")
            | (Method::Put, "PUT")
            | (Method::Delete, "DELETE")
    )
}

async fn custom(
    rq: Rq<'_>,
    route: &crate::extension::Route,
    path: Vec<String>,
    asked: &Asked,
) -> Result<Reply, Fault> {
    let body = match asked.method.as_str() {
        "POST" | "PUT" if !asked.body.is_empty() => {
            let readable = serde_json::from_slice::<serde::de::IgnoredAny>(&asked.body);
            readable.map_err(|_| Fault::MalformedRequestBody { reason: "Cannot understand JSON".into() })?;
            Value::Object(admit::object(&asked.body)?)
        }
        _ => Value::Null,
    };
    let answer = (route.run)(rq, Call { path, query: asked.query.clone(), body }).await?;
    Ok(match answer.body {
        Some(body) => Reply::value(answer.status, &body),
        None => Reply::empty(answer.status),
    })
}
