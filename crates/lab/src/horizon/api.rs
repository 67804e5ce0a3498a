//! What the network service says while the dashboard is used: the same objects asked for directly, and the line of its
//! log for each request that the dashboard made.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;

use crate::report::words;
use crate::services::http::Target;
use crate::site::Site;

/// Neutron's API.
const PORT: u16 = 9696;
/// Where the service writes its log on the controller.
const LOG: &str = "/var/log/neutron/server.log";

/// The network service as a project sees it.
pub struct Api<'a> {
    site: &'a Site,
    target: Target,
    /// How much of the log was looked at.
    seen: Cell<usize>,
}

/// What was asked, and the status of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method and path.
    pub line: String,
    /// The status.
    pub status: u16,
}

impl<'a> Api<'a> {
    /// As a user of a project. It is asked on the loopback address, so that the dashboard's requests are told apart.
    ///
    /// # Errors
    /// Keystone refuses.
    pub fn new(site: &'a Site, user: &str, password: &str, project: &str) -> Result<Self, String> {
        let token = Some(site.services.token(user, password, project)?);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let target = Target { address, prefix: "/v2.0".to_owned(), token };
        let api = Self { site, target, seen: Cell::new(0) };
        api.requests()?;
        Ok(api)
    }

    /// The objects of a collection (`networks`) that fit a query (`name=a`).
    ///
    /// # Errors
    /// They are refused.
    pub fn list(&self, collection: &str, query: &str) -> Result<Vec<Value>, String> {
        self.list_of(&format!("{}?{query}", collection.replace('_', "-")), collection)
    }

    /// The objects under a key of what a path answers.
    ///
    /// # Errors
    /// They are refused.
    pub fn list_of(&self, path: &str, key: &str) -> Result<Vec<Value>, String> {
        let mut answer = self.target.ask(&self.site.controller, "GET", &format!("/{path}"), None)?.json();
        match answer[key].take() {
            Value::Array(all) => Ok(all),
            other => Err(format!("{path}: {other}")),
        }
    }

    /// The only object that fits.
    ///
    /// # Errors
    /// None does, or more than one.
    pub fn one(&self, collection: &str, query: &str) -> Result<Value, String> {
        let mut all = self.list(collection, query)?;
        match (all.pop(), all.len()) {
            (Some(one), 0) => Ok(one),
            (found, more) => {
                Err(format!("{collection}?{query}: {} of them", more + usize::from(found.is_some())))
            }
        }
    }

    /// Requests of others than this lab's since it was asked last.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn requests(&self) -> Result<Vec<Request>, String> {
        let path = self.site.controller.path(LOG);
        let log = std::fs::read(&path).map_err(|error| format!("{LOG}: {error}"))?;
        let new = log.get(self.seen.replace(log.len())..).unwrap_or(&log);
        Ok(String::from_utf8_lossy(new).lines().filter_map(request).collect())
    }
}

/// What the dashboard asked for, if a line of the log says so.
fn request(line: &str) -> Option<Request> {
    let (head, tail) = line.split_once(" \"")?;
    if !head.contains("neutron.wsgi") || head.ends_with(" 127.0.0.1") {
        return None;
    }
    let (request, rest) = tail.split_once('"')?;
    let status = rest.trim().strip_prefix("status: ")?.split(' ').next()?.parse().map_err(words).ok()?;
    Some(Request { line: request.trim_end_matches(" HTTP/1.1").to_owned(), status })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_others_are_read_from_the_log() {
        let line = |client: &str| {
            format!(
                "2026-11-22 04:00:00.123 12 INFO neutron.wsgi [None req-1 - - - - - -] {client} \
                 \"GET /v2.0/networks?a=b HTTP/1.1\" status: 404  len: 12 time: 0.0012345"
            )
        };
        let found = Request { line: "GET /v2.0/networks?a=b".to_owned(), status: 404 };
        assert_eq!(request(&line("192.0.2.1")), Some(found));
        assert_eq!(request(&line("127.0.0.1")), None);
        assert_eq!(request("2026 INFO neutron.service status: 1"), None);
    }
}
