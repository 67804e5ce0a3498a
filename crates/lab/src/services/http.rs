//! Requests as they come: one connection each, HTTP/1.0, so that an answer ends with its connection.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::host::Host;

/// How long an answer may take on a machine that has much else to do.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, values.
    pub headers: Vec<(String, String)>,
    /// What came after them.
    pub body: String,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

/// Where a request goes and who asks.
#[derive(Clone, Debug)]
pub struct Target {
    /// Address and port.
    pub address: SocketAddr,
    /// What comes before each path.
    pub prefix: String,
    /// `X-Auth-Token`.
    pub token: Option<String>,
}

impl Target {
    /// Sends a request as a program on `host` would and reads the answer.
    ///
    /// # Errors
    /// Nothing listens, or the answer does not come or cannot be understood.
    pub fn send(
        &self,
        host: &Host,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        self.exchange(host, method, path, body)
            .map_err(|error| format!("{method} {}{path} at {}: {error}", self.prefix, self.address))
    }

    /// As [`Target::send`], for an answer whose status must be one of success.
    ///
    /// # Errors
    /// As [`Target::send`], or it is refused.
    pub fn ask(&self, host: &Host, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let answer = self.send(host, method, path, body)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        Err(format!("{method} {}{path}: {} {}", self.prefix, answer.status, answer.body))
    }

    fn exchange(
        &self,
        host: &Host,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::io::Result<Answer> {
        let mut stream = host.connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let token = self.token.as_ref().map(|token| format!("X-Auth-Token: {token}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {}{path} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{token}\r\n{body}",
            self.prefix,
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text)?;
        parse(&String::from_utf8_lossy(&text)).ok_or_else(|| std::io::Error::other("no answer of HTTP's"))
    }
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Answer { status, headers, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_answer_is_taken_apart() {
        let answer = super::parse("HTTP/1.0 201 Created\r\nX-Subject-Token: abc\r\n\r\n{\"a\": 1}").unwrap();
        assert_eq!((answer.status, answer.header("x-subject-token")), (201, Some("abc")));
        assert_eq!(answer.json()["a"], 1);
        assert!(super::parse("nonsense").is_none());
    }
}
