//! A server that gives recorded answers in their order and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and path.
    pub request: String,
    /// The body, if there was one.
    pub body: Option<Value>,
}

/// The server; it ends with the test.
pub struct Stub {
    /// Its address.
    pub url: String,
    /// What it was asked for, Keystone apart.
    pub asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Starts it with the answers to give.
    pub fn start(answers: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (shared, me) = (Arc::clone(&asked), url.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _client_gone = serve(stream, &answers, &shared, &me);
            }
        });
        Self { url, asked }
    }
}

fn serve(stream: TcpStream, answers: &[Value], asked: &Mutex<Vec<Asked>>, me: &str) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let request = line.rsplit_once(' ').unwrap().0.to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            stream.read_line(&mut header)?;
            match header.trim().split_once(": ") {
                None => break,
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().unwrap()
                }
                Some(_) => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let body = (length > 0).then(|| serde_json::from_slice(&body).unwrap());
        let (status, header, answer) = if request == "POST /v3/auth/tokens" {
            (201, "X-Subject-Token: token".to_owned(), Some(token(me, body.as_ref())))
        } else {
            let mut asked = asked.lock().unwrap();
            asked.push(Asked { request, body });
            let recorded = answers.get(asked.len() - 1).cloned().unwrap_or_else(|| json!({"status": 500}));
            let id = format!("X-OpenStack-Request-ID: req-00000000-0000-4000-8000-{:012}", asked.len());
            (recorded["status"].as_u64().unwrap(), id, recorded.get("answer").cloned())
        };
        let text = answer.map(|answer| answer.to_string()).unwrap_or_default();
        let length = text.len();
        let whole = format!("HTTP/1.1 {status} Status\r\n{header}\r\nContent-Length: {length}\r\n\r\n{text}");
        stream.get_mut().write_all(whole.as_bytes())?;
    }
}

fn token(url: &str, body: Option<&Value>) -> Value {
    let user = body.and_then(|body| body["auth"]["identity"]["password"]["user"]["name"].as_str());
    let role = if user == Some("admin") { "admin" } else { "member" };
    json!({"token": {"roles": [{"name": role}], "catalog": [{"type": "network", "endpoints": [
        {"interface": "public", "region_id": "RegionOne", "url": url}]}]}})
}
