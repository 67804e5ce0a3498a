//! A small HTTP/1.1 client for load: one kept connection, requests written whole, answers read by length.

use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// One kept connection to a server.
pub struct Connection {
    /// None once the server has said that it closes.
    stream: Option<BufReader<TcpStream>>,
    host: String,
    /// What every request says besides its own: `Host`, the token.
    head: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// `X-Subject-Token`: Keystone's.
    pub token: Option<String>,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(host: &str) -> io::Result<Connection> {
        Connection::open_as(host, "").await
    }

    /// Connects to `host:port` as whose token that is; none where it is empty.
    pub async fn open_as(host: &str, token: &str) -> io::Result<Connection> {
        let token = if token.is_empty() { String::new() } else { format!("X-Auth-Token: {token}\r\n") };
        let head = format!("Host: {host}\r\n{token}");
        Ok(Connection { stream: Some(connect(host).await?), host: host.to_string(), head })
    }

    /// Sends one request and reads its answer.
    pub async fn send(&mut self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            self.head
        );
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.host).await?,
        };
        stream.get_mut().write_all(request.as_bytes()).await?;
        let (answer, lasts) = answer(&mut stream).await?;
        self.stream = lasts.then_some(stream);
        Ok(answer)
    }
}

async fn connect(host: &str) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    Ok(BufReader::with_capacity(1 << 16, stream))
}

/// Reads an answer; whether the connection lasts.
async fn answer(stream: &mut BufReader<TcpStream>) -> io::Result<(Answer, bool)> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_string());
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| wrong(&line))?;
    let (mut length, mut lasts, mut token) = (0usize, true, None);
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        if line.trim_end().is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse().map_err(|_| wrong(&line))?,
            ("connection", value) => lasts = !value.eq_ignore_ascii_case("close"),
            ("x-subject-token", value) => token = Some(value.to_string()),
            _ => {}
        }
    }
    if length > ANSWER_BYTES_MAX {
        return Err(wrong("the answer is too long"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((Answer { status, body, token }, lasts))
}
