//! HTTP/1.1 for a process that lives for milliseconds: one connection kept open, no runtime, and TLS set up only when an
//! address begins with `https`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A body larger than this is refused.
const BODY_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// A header section larger than this is refused.
const HEAD_BYTES_MAX: u64 = 256 * 1024;

/// How to reach servers.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Give up waiting after this long; `None`: never.
    pub timeout: Option<Duration>,
    /// A file of certificates to trust instead of the usual ones.
    pub cacert: Option<String>,
    /// Accept any certificate.
    pub insecure: bool,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'a str,
    /// The whole address.
    pub url: &'a str,
    /// Headers beside the usual ones.
    pub headers: &'a [(String, String)],
    /// A JSON body.
    pub body: Option<&'a str>,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The status in words.
    pub reason: String,
    /// The headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: String,
}

/// Sends requests, keeping one connection open.
#[derive(Debug, Default)]
pub struct Http {
    options: Options,
    open: Option<(String, BufReader<TcpStream>)>,
}

impl Http {
    /// A client that has not connected yet.
    pub fn new(options: Options) -> Self {
        Self { options, open: None }
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// The server cannot be reached, or does not speak HTTP.
    pub fn send(&mut self, request: Request<'_>) -> std::io::Result<Response> {
        let Some(rest) = request.url.strip_prefix("http://") else { return self.send_tls(request) };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let reused = match self.open.take() {
            Some((peer, stream)) if peer == authority => Some(stream),
            Some(_) | None => None,
        };
        let was_open = reused.is_some();
        let stream = match reused {
            Some(stream) => stream,
            None => self.connect(authority)?,
        };
        match self.exchange(stream, authority, path, request) {
            // A kept connection may have been closed by the server in the meantime.
            Err(_) if was_open => {
                let stream = self.connect(authority)?;
                self.exchange(stream, authority, path, request)
            }
            other => other,
        }
    }

    fn connect(&self, authority: &str) -> std::io::Result<BufReader<TcpStream>> {
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let stream = TcpStream::connect(address.to_socket_addrs()?.collect::<Vec<_>>().as_slice())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(self.options.timeout)?;
        Ok(BufReader::new(stream))
    }

    fn exchange(
        &mut self,
        mut stream: BufReader<TcpStream>,
        authority: &str,
        path: &str,
        request: Request<'_>,
    ) -> std::io::Result<Response> {
        let path = if path.is_empty() { "/" } else { path };
        let mut head = format!(
            "{} {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: python-neutronclient\r\nAccept: application/json\r\n",
            request.method
        );
        for (name, value) in request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = request.body.unwrap_or_default();
        if request.body.is_some() {
            head.push_str("Content-Type: application/json\r\n");
        }
        if request.method != "GET" || request.body.is_some() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        head.push_str(body);
        stream.get_mut().write_all(head.as_bytes())?;
        let (response, keep) = read(&mut stream)?;
        if keep {
            self.open = Some((authority.to_owned(), stream));
        }
        Ok(response)
    }

    fn send_tls(&self, request: Request<'_>) -> std::io::Result<Response> {
        let mut tls = ureq::tls::TlsConfig::builder().disable_verification(self.options.insecure);
        if let Some(path) = &self.options.cacert {
            let pem = std::fs::read(path)?;
            let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            tls = tls.root_certs(ureq::tls::RootCerts::from(certificates.into_iter()));
        }
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(self.options.timeout)
            .tls_config(tls.build())
            .build()
            .into();
        let mut builder = ureq::http::Request::builder().method(request.method).uri(request.url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        builder = builder.header("accept", "application/json").header("content-type", "application/json");
        let ready =
            builder.body(request.body.unwrap_or_default().to_owned()).map_err(std::io::Error::other)?;
        let mut answer = agent.run(ready).map_err(std::io::Error::other)?;
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let body = answer.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_string();
        Ok(Response {
            status: answer.status().as_u16(),
            reason: answer.status().canonical_reason().unwrap_or_default().to_owned(),
            headers,
            body: body.map_err(std::io::Error::other)?,
        })
    }
}

fn bad(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}

/// Reads an answer; the second value tells whether the connection may be used again.
fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<(Response, bool)> {
    let mut head = Vec::new();
    let mut section = stream.by_ref().take(HEAD_BYTES_MAX);
    loop {
        let mut line = String::new();
        if section.read_line(&mut line)? == 0 {
            return Err(bad("the server closed the connection"));
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let mut status_line = head.first().map(String::as_str).unwrap_or_default().splitn(3, ' ');
    let version = status_line.next().unwrap_or_default();
    let status =
        status_line.next().and_then(|text| text.parse().ok()).ok_or_else(|| bad("this is not HTTP"))?;
    let reason = status_line.next().unwrap_or_default().to_owned();
    let headers: HashMap<String, String> = head
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let is = |name: &str, word: &str| headers.get(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    let mut keep = version == "HTTP/1.1" && !is("connection", "close");
    let length = headers.get("content-length").and_then(|text| text.parse::<u64>().ok());
    let bytes = if status == 204 || status == 304 {
        Vec::new()
    } else if is("transfer-encoding", "chunked") {
        read_chunks(stream)?
    } else {
        keep = keep && length.is_some();
        let length = length.unwrap_or(BODY_BYTES_MAX);
        if length > BODY_BYTES_MAX {
            return Err(bad("the answer is too large"));
        }
        let mut bytes = Vec::new();
        stream.by_ref().take(length).read_to_end(&mut bytes)?;
        bytes
    };
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Ok((Response { status, reason, headers, body }, keep))
}

fn read_chunks(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(|_| bad("a chunk has no size"))?;
        if bytes.len() as u64 + size > BODY_BYTES_MAX {
            return Err(bad("the answer is too large"));
        }
        stream.by_ref().take(size).read_to_end(&mut bytes)?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if size == 0 {
            return Ok(bytes);
        }
    }
}
