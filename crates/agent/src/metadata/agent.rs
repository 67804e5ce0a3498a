//! The metadata agent: takes requests from the listeners in namespaces on a socket, finds out which instance
//! asks, and passes them on to Nova with a signature. The socket and its headers are those of Neutron's own
//! agents, so that either end may be theirs.

use std::convert::Infallible;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use oslo::tls::Tls;
use serde_json::json;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::answer::{self, Answer};
use super::listeners::{BODY_BYTES_MAX, HEADER_TIMEOUT};
use super::lookup::{Entrance, Instance, Lookup};
use super::options::{Options, Protocol};
use crate::plugin::{AgentState, Counters, Plugin, report_for_ever};

const PLUGIN_TOPIC: &str = "q-plugin";
/// Most requests at a time.
const CONNECTIONS_MAX: usize = 1024;
/// How long Nova may take.
const NOVA_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the agent for ever. Dropping the future stops it.
///
/// # Errors
/// When an option asks for what cannot be done, or the socket cannot be opened.
pub async fn run(options: Options, transport: &rpc::Transport) -> host::Result<()> {
    // What is refused is refused before anything is made.
    let nova = Client::builder(TokioExecutor::new()).build(connector(&options)?);
    let socket = listen(&options)?;
    let state = AgentState {
        binary: "neutron-metadata-agent",
        host: options.host.clone(),
        topic: "N/A",
        agent_type: "Metadata agent",
        configurations: json!({
            "metadata_proxy_socket": options.metadata_proxy_socket,
            "nova_metadata_host": options.nova_metadata_host,
            "nova_metadata_port": options.nova_metadata_port,
            "log_agent_heartbeats": options.log_agent_heartbeats,
        }),
        availability_zone: None,
    };
    let interval = Duration::from_secs(options.report_interval.max(1));
    let reports = report_for_ever(transport, state, Counters::default(), interval, || {});
    let proxy =
        Arc::new(Proxy { lookup: Lookup::new(Plugin::new(transport.client(), PLUGIN_TOPIC)), nova, options });
    tokio::select! {
        () = reports => Ok(()),
        () = accept_for_ever(socket, proxy) => Ok(()),
    }
}

/// How Nova is reached. Authorities are read only where they are needed.
fn connector(options: &Options) -> host::Result<HttpsConnector<HttpConnector>> {
    let tls = match options.nova_metadata_protocol {
        Protocol::Https => options.nova_tls.clone(),
        Protocol::Http => Tls { insecure: true, ..Tls::default() },
    };
    let config = tls.client().map_err(|why| {
        host::Error::Odd(format!(
            "[DEFAULT] nova_metadata_protocol = https: {why}; see auth_ca_cert, nova_client_cert and \
             nova_client_priv_key"
        ))
    })?;
    Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
}

fn listen(options: &Options) -> host::Result<UnixListener> {
    let path = &options.metadata_proxy_socket;
    let what = |e: std::io::Error| host::Error::io(format!("listening on {}", path.display()), e);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(what)?;
    }
    // Left over from an earlier life: a socket cannot be bound twice.
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(what(e)),
        _ => {}
    }
    let socket = UnixListener::bind(path).map_err(what)?;
    let mode = std::fs::Permissions::from_mode(options.metadata_proxy_socket_mode);
    std::fs::set_permissions(path, mode).map_err(what)?;
    Ok(socket)
}

struct Proxy {
    lookup: Lookup,
    nova: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    options: Options,
}

async fn accept_for_ever(socket: UnixListener, proxy: Arc<Proxy>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                tracing::debug!("a connection to the metadata agent failed: {e}");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let proxy = proxy.clone();
        tokio::spawn(async move {
            serve(stream, proxy).await;
            drop(place);
        });
    }
}

async fn serve(stream: UnixStream, proxy: Arc<Proxy>) {
    let service = service_fn(|request| {
        let proxy = proxy.clone();
        async move { Ok::<_, Infallible>(proxy.answer(request).await) }
    });
    let mut server = http1::Builder::new();
    server.half_close(true);
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    if let Err(e) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!("a connection to the metadata agent ended: {e}");
    }
}

impl Proxy {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return answer::too_large();
        };
        let body = body.to_bytes();
        let Some(entrance) = entrance(&parts.headers) else { return answer::not_found() };
        let Some(address) =
            text(&parts.headers, "x-forwarded-for").and_then(|text| text.parse::<IpAddr>().ok())
        else {
            return answer::unknown();
        };
        let address = address.to_canonical();
        // What was known may be out of date: the instance that Nova does not find is looked up once more.
        for fresh in [false, true] {
            let instance = match self.lookup.instance(&entrance, address, fresh).await {
                Ok(Some(instance)) => instance,
                Ok(None) => {
                    tracing::warn!("no instance, or more than one, has address {address} in {entrance:?}");
                    return answer::not_found();
                }
                Err(e) => {
                    tracing::error!("cannot find out who has address {address}: {e}");
                    return answer::unknown();
                }
            };
            let answer = self.ask_nova(&parts, body.clone(), address, &instance).await;
            if fresh || answer.status() != http::StatusCode::NOT_FOUND {
                return answer;
            }
        }
        answer::not_found()
    }

    async fn ask_nova(
        &self,
        parts: &http::request::Parts,
        body: Bytes,
        address: IpAddr,
        instance: &Instance,
    ) -> Answer {
        let request = self.nova_request(parts, body, address, instance);
        let request = match request {
            Ok(request) => request,
            Err(e) => {
                tracing::error!("no request to Nova can be made: {e}");
                return answer::unknown();
            }
        };
        let asked = async {
            let response = self.nova.request(request).await.map_err(|e| e.to_string())?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
            Ok::<_, String>(answer::from_nova(parts.status, parts.headers.get(CONTENT_TYPE).cloned(), body))
        };
        match tokio::time::timeout(NOVA_TIMEOUT, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(e)) => {
                tracing::error!("Nova's metadata service cannot be reached: {e}");
                answer::unavailable()
            }
            Err(_) => {
                tracing::error!("Nova's metadata service does not answer");
                answer::unknown()
            }
        }
    }

    /// Nova hears who asks from us only: nothing of the instance's own headers is passed on.
    fn nova_request(
        &self,
        parts: &http::request::Parts,
        body: Bytes,
        address: IpAddr,
        instance: &Instance,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let Options { nova_metadata_host: host, nova_metadata_port: port, .. } = &self.options;
        let authority = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder()
            .scheme(self.options.nova_metadata_protocol.scheme())
            .authority(authority)
            .path_and_query(path)
            .build()?;
        let secret = &self.options.metadata_proxy_shared_secret;
        Request::builder()
            .method(parts.method.clone())
            .uri(uri)
            .header("X-Forwarded-For", address.to_string())
            .header("X-Instance-ID", &instance.instance_id)
            .header("X-Tenant-ID", &instance.project_id)
            .header("X-Instance-ID-Signature", answer::signature(secret, &instance.instance_id))
            .header(ACCEPT, "*/*")
            .body(Full::new(body))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Where the request came in; both headers together, or none, can only be made up.
fn entrance(headers: &HeaderMap) -> Option<Entrance> {
    match (text(headers, "x-neutron-network-id"), text(headers, "x-neutron-router-id")) {
        (Some(network), None) => Some(Entrance::Network(network.to_owned())),
        (None, Some(router)) => Some(Entrance::Router(router.to_owned())),
        _ => None,
    }
}
