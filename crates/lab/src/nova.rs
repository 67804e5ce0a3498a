//! `lab nova CONF`: what Neutron sees of Nova: the metadata API, which checks signatures with the secret of
//! `nova.conf`, and the compute API's external events, which are written down.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::tools;

/// Nova's compute API.
const API_PORT: u16 = 8774;
/// Nova's metadata API.
const METADATA_PORT: u16 = 8775;
/// How long a request may take to come.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// Longest body that is read, in octets.
const BODY_MAX: u64 = 1 << 20;

/// Answers for ever; what it is asked goes to standard output, a line each.
///
/// # Errors
/// The file cannot be read or has no secret, or a port is taken.
pub fn serve(conf: &Path) -> io::Result<()> {
    let secret = secret(&std::fs::read_to_string(conf)?).ok_or_else(|| {
        io::Error::other(format!("{}: [neutron] metadata_proxy_shared_secret is missing", conf.display()))
    })?;
    let api = TcpListener::bind((Ipv4Addr::UNSPECIFIED, API_PORT))?;
    let metadata = TcpListener::bind((Ipv4Addr::UNSPECIFIED, METADATA_PORT))?;
    std::thread::spawn(move || {
        for stream in api.incoming().flatten() {
            // A client that goes away is its own affair.
            let _ = answer_api(stream);
        }
    });
    for stream in metadata.incoming() {
        let _ = tools::answer_metadata(stream?, &secret);
    }
    Ok(())
}

/// `metadata_proxy_shared_secret` of the section `[neutron]`, which may be opened more than once.
fn secret(text: &str) -> Option<String> {
    let mut ours = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            ours = line == "[neutron]";
        } else if let Some(("metadata_proxy_shared_secret", value)) =
            line.split_once('=').map(|(name, value)| (name.trim(), value)).filter(|_| ours)
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

fn answer_api(stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(REQUEST_MAX))?;
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request)?;
    let (mut length, mut token) = (0, false);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "x-auth-token" => token = !value.trim().is_empty(),
            _ => {}
        }
    }
    let mut body = String::new();
    (&mut stream).take(BODY_MAX.min(length)).read_to_string(&mut body)?;
    tools::say(&format!("api {} token={token} {body}\n", request.trim()))?;
    let answer = events(&body);
    let text = answer.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    stream.get_mut().write_all(format!("{head}{text}").as_bytes())
}

/// Each event as Nova gives it back: with a code of its own.
fn events(body: &str) -> Value {
    let mut events = serde_json::from_str::<Value>(body).unwrap_or(Value::Null)["events"].take();
    for event in events.as_array_mut().into_iter().flatten() {
        event["code"] = json!(200);
        event["status"] = json!("completed");
    }
    json!({ "events": events })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_that_of_its_section() {
        let text = "[DEFAULT]\nmetadata_proxy_shared_secret = a\n[neutron] \n \nurl = x\n\
                    metadata_proxy_shared_secret = b \n[other]\nmetadata_proxy_shared_secret = c\n";
        assert_eq!(secret(text).as_deref(), Some("b"));
        assert_eq!(
            secret("[neutron]\nurl = x\n[neutron]\nmetadata_proxy_shared_secret = d").as_deref(),
            Some("d")
        );
        assert_eq!(secret("[neutron]\nurl = x\n"), None);
    }

    #[test]
    fn events_come_back_with_a_code() {
        let answer = events(r#"{"events": [{"name": "network-vif-plugged"}]}"#);
        assert_eq!(answer["events"][0]["code"], 200);
        assert_eq!(answer["events"][0]["name"], "network-vif-plugged");
    }
}
