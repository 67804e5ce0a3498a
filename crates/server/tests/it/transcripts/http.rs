//! The plainest HTTP client, so that requests go out exactly as recorded.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Asks as the recorder did: the host is always `controller:9696`, so that links are equal.
pub fn ask(server: SocketAddr, method: &str, path: &str, headers: &[(String, String)], body: &str) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: controller:9696\r\nConnection: close\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() && !headers.iter().any(|(k, _)| k.eq_ignore_ascii_case("content-type")) {
        request += "Content-Type: application/json\r\n";
    }
    if !body.is_empty() || method == "POST" || method == "PUT" {
        request += &format!("Content-Length: {}\r\n", body.len());
    }
    request += "\r\n";
    request += body;
    let mut stream = TcpStream::connect(server).expect("the server listens");
    stream.write_all(request.as_bytes()).expect("the request goes out");
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).expect("an answer");
    let text = String::from_utf8(raw).expect("an answer in UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole answer");
    let mut lines = head.lines();
    let status =
        lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).expect("a status");
    let headers =
        lines.filter_map(|l| l.split_once(": ")).map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Answer { status, headers, body: body.to_string() }
}
