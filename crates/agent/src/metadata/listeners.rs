//! Listeners for metadata requests inside namespaces. No process per namespace: the sockets are opened there
//! and served by our own runtime, which passes each request on to the metadata agent's socket with the headers
//! that say where it came from.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use host::Netns;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Most connections into one namespace at a time.
const CONNECTIONS_MAX: usize = 1024;
/// Most bytes of a request's body.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a client may take over its headers, and how long an idle connection lives.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the metadata agent may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Headers about one connection, not about the message.
const HOP_HEADERS: [&str; 7] =
    ["connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect", "content-length"];

/// Where to listen.
#[derive(Debug, Clone)]
pub struct Site {
    /// The namespace.
    pub ns: Netns,
    /// The addresses; none closes the listeners.
    pub addresses: Vec<IpAddr>,
    /// The port.
    pub port: u16,
    /// The device that link-local addresses are on.
    pub device: Option<String>,
    /// The header that tells the metadata agent where a request came from.
    pub header: (&'static str, String),
}

/// The listeners of one agent, by network or router.
#[derive(Debug)]
pub struct Listeners {
    socket: Arc<PathBuf>,
    open: HashMap<String, Open>,
    /// What was complained of last, by network or router: it is said once, not at every look.
    complaints: HashMap<String, String>,
}

#[derive(Debug)]
struct Open {
    namespace: Option<u64>,
    addresses: Vec<IpAddr>,
    /// Aborted when dropped.
    _tasks: JoinSet<()>,
}

impl Listeners {
    /// Listeners that pass requests on to the metadata agent's `socket`.
    pub fn new(socket: PathBuf) -> Listeners {
        Listeners { socket: Arc::new(socket), open: HashMap::new(), complaints: HashMap::new() }
    }

    /// Makes the listeners of `id` those of `site`, and says once when that cannot be: after a swap from Neutron's
    /// own agent its proxies still listen, until they end.
    pub fn keep(&mut self, id: &str, site: Site) {
        match self.ensure(id, site) {
            Ok(()) => _ = self.complaints.remove(id),
            Err(why) => {
                let why = why.to_string();
                if self.complaints.get(id) != Some(&why) {
                    tracing::warn!(id, "no metadata listener: {why}; it is tried again, and said once");
                    self.complaints.insert(id.to_owned(), why);
                }
            }
        }
    }

    /// Makes the listeners of `id` those of `site`: opened anew when its namespace is another one.
    ///
    /// # Errors
    /// When a listener cannot be opened.
    fn ensure(&mut self, id: &str, site: Site) -> host::Result<()> {
        let namespace = site.ns.file().and_then(|file| file.metadata().ok()).map(|metadata| metadata.ino());
        let right = |open: &Open| open.namespace == namespace && open.addresses == site.addresses;
        if self.open.get(id).is_some_and(right) {
            return Ok(());
        }
        self.open.remove(id);
        if site.addresses.is_empty() {
            return Ok(());
        }
        let mut tasks = JoinSet::new();
        let origin = Arc::new(Origin { header: header(&site.header)?, socket: self.socket.clone() });
        for address in &site.addresses {
            let device = site.device.as_deref().filter(|_| is_link_local(address));
            let listener = host::listen::tcp(&site.ns, *address, site.port, device)?;
            let listener = TcpListener::from_std(listener)
                .map_err(|e| host::Error::io(format!("listening on {address}"), e))?;
            tasks.spawn(accept_for_ever(listener, origin.clone()));
        }
        self.open.insert(id.to_owned(), Open { namespace, addresses: site.addresses, _tasks: tasks });
        Ok(())
    }

    /// Closes the listeners of `id`.
    pub fn remove(&mut self, id: &str) {
        self.open.remove(id);
        self.complaints.remove(id);
    }
}

fn is_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn header((name, value): &(&'static str, String)) -> host::Result<(HeaderName, HeaderValue)> {
    let odd = || host::Error::Odd(format!("'{name}: {value}' is no header"));
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| odd())?;
    Ok((name, HeaderValue::from_str(value).map_err(|_| odd())?))
}

/// Where requests of a listener come from and go to.
#[derive(Debug)]
struct Origin {
    header: (HeaderName, HeaderValue),
    socket: Arc<PathBuf>,
}

async fn accept_for_ever(listener: TcpListener, origin: Arc<Origin>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(e) => {
                tracing::debug!("a metadata connection failed: {e}");
                // Out of file descriptors, say: a moment's rest rather than a busy loop.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let origin = origin.clone();
        connections.spawn(async move {
            let service = service_fn(|request| {
                let origin = origin.clone();
                async move { Ok::<_, Infallible>(pass_on(request, peer, &origin).await) }
            });
            let mut server = http1::Builder::new();
            // Simple clients (`printf … | nc`) close their side once they have asked, and wait.
            server.half_close(true);
            server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            if let Err(e) = server.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%peer, "metadata connection ended: {e}");
            }
            drop(place);
        });
    }
}

/// Passes a request on under the name of its origin; headers that claim another one are dropped.
async fn pass_on(request: Request<Incoming>, peer: SocketAddr, origin: &Origin) -> Response<Full<Bytes>> {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    remove_hop_headers(&mut parts.headers);
    for name in ["x-neutron-network-id", "x-neutron-router-id", "x-forwarded-for"] {
        parts.headers.remove(name);
    }
    if let Ok(address) = HeaderValue::from_str(&peer.ip().to_canonical().to_string()) {
        parts.headers.insert("x-forwarded-for", address);
    }
    let (name, value) = &origin.header;
    parts.headers.insert(name, value.clone());
    // A proxy's request names the whole address; the metadata agent wants the path.
    if let Some(path) = parts.uri.path_and_query().cloned() {
        parts.uri = path.into();
    }
    let request = Request::from_parts(parts, Full::new(body.to_bytes()));
    match tokio::time::timeout(ANSWER_TIMEOUT, ask(request, &origin.socket)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(e)) => {
            tracing::warn!(%peer, "the metadata agent does not answer: {e}");
            empty(StatusCode::SERVICE_UNAVAILABLE)
        }
        Err(_) => empty(StatusCode::GATEWAY_TIMEOUT),
    }
}

async fn ask(
    request: Request<Full<Bytes>>,
    socket: &Path,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let (mut parts, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    remove_hop_headers(&mut parts.headers);
    Ok(Response::from_parts(parts, Full::new(body)))
}

fn remove_hop_headers(headers: &mut HeaderMap) {
    for name in HOP_HEADERS {
        headers.remove(name);
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
