//! A server on a free port of the loopback, and somebody who asks it.

use crate::world::{self, Dir};
use serde_json::Value;
use server::app::App;
use server::extension::Extension;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that answers until it is dropped.
pub struct Served {
    pub app: Arc<App>,
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
    _dir: Dir,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The extensions that `drivers` load, and those that need none, whose requirements are met.
pub fn loadable(all: &[&'static Extension], drivers: &[&str]) -> Vec<&'static Extension> {
    let mut some = all.to_vec();
    some.retain(|e| e.driver.is_none_or(|driver| drivers.contains(&driver)));
    loop {
        let aliases: Vec<&str> = some.iter().map(|e| e.alias).collect();
        let before = some.len();
        some.retain(|e| e.requires.iter().all(|r| aliases.contains(r)));
        if some.len() == before {
            return some;
        }
    }
}

impl Served {
    /// A server with what is usually loaded, on an empty database.
    pub async fn start() -> Served {
        Served::with(&["port_security"]).await
    }

    /// A server with these extension drivers, on an empty database.
    pub async fn with(drivers: &[&str]) -> Served {
        let (app, dir) = world::app(&loadable(server::extensions::ALL, drivers)).await;
        Served::of(app, dir).await
    }

    /// A server that is there already.
    pub async fn of(app: Arc<App>, dir: Dir) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = server::api::router(app.clone());
        let task = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Served { app, address, task, _dir: dir }
    }

    /// `who` is a project's name, or `admin`; answers with the status and the body.
    pub async fn ask(&self, who: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let roles = if who == "admin" { "admin" } else { "member" };
        self.ask_as(who, roles, method, path, body).await
    }

    /// The same as a member of a project with the roles given.
    pub async fn ask_as(
        &self,
        who: &str,
        roles: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} /v2.0/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Roles: {roles}\r\nX-Project-Id: {who}\r\nX-User-Id: u\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).await.unwrap();
        let text = String::from_utf8(raw).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Asks what must succeed; answers with the resource inside the body.
    pub async fn make(&self, who: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(who, "POST", path, body).await;
        assert_eq!(status, 201, "{answer}");
        answer.as_object().unwrap().values().next().unwrap().clone()
    }

    /// What a list answers.
    pub async fn list(&self, who: &str, path: &str) -> Vec<Value> {
        let (status, answer) = self.ask(who, "GET", path, Value::Null).await;
        assert_eq!(status, 200, "{answer}");
        answer.as_object().unwrap().values().next().unwrap().as_array().unwrap().clone()
    }
}

/// The status and the words of a refusal.
pub fn words(answer: &(u16, Value)) -> String {
    let fault = &answer.1["NeutronError"];
    format!("{} {}: {}", answer.0, fault["type"].as_str().unwrap(), fault["message"].as_str().unwrap())
}
