//! Neutron's API as the commands use it: requests, lists over several pages, names looked up.

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::http::{Http, Request, Response};
use crate::python;
use crate::resource::Resource;

/// Query parameters in order.
pub type Params = Vec<(String, Value)>;

/// The longest address the client sends; lists of ids are asked for in parts.
const URI_BYTES_MAX: usize = 8192;
/// The answer to a list may come in this many pages.
const PAGES_MAX: usize = 100_000;

/// A server and who we are to it.
#[derive(Debug)]
pub struct Api {
    /// The connection.
    pub http: Http,
    /// The address of the service, without `/v2.0`.
    pub endpoint: String,
    /// Headers that tell who asks.
    pub headers: Vec<(String, String)>,
    /// Whether Keystone says the user is an administrator.
    pub admin: bool,
    /// How often a failed connection is tried again, except for creations.
    pub retries: u64,
    /// What to add when the server cannot be reached.
    pub hint: Option<&'static str>,
    /// The requests sent and their answers' statuses, for `--debug`.
    pub log: Option<Vec<String>>,
}

impl Api {
    /// Sends a request below `/v2.0`; `None` for an answer without a body.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        params: &Params,
        body: Option<&Value>,
    ) -> Result<Option<Value>, Fault> {
        let path = format!("/v2.0{path}{}", query(params));
        let length = self.endpoint.len() + path.len();
        if length > URI_BYTES_MAX {
            return Err(Fault::TooLong(length - URI_BYTES_MAX));
        }
        let url = format!("{}{path}", self.endpoint);
        let body = body.map(|body| python::json(body, None));
        let response = self.send(method, &url, body.as_deref())?;
        if let Some(log) = &mut self.log {
            log.push(format!("REQ: curl -i -X {method} {url} -d '{}'", body.unwrap_or_default()));
            log.push(format!("RESP: {} {}", response.status, response.body));
        }
        match response.status {
            200 | 201 | 202 | 204 if response.body.is_empty() => Ok(None),
            200 | 201 | 202 | 204 => {
                let value = serde_json::from_str(&response.body);
                value.map(Some).map_err(|error| Fault::Command(format!("Malformed response body: {error}")))
            }
            status => {
                let id = response.headers.get("x-openstack-request-id");
                Err(Fault::of_response(status, &response.reason, &response.body, id.map(String::as_str)))
            }
        }
    }

    fn send(&mut self, method: &str, url: &str, body: Option<&str>) -> Result<Response, Fault> {
        let attempts = if method == "POST" { 1 } else { self.retries + 1 };
        for attempt in 1..=attempts {
            if let Ok(response) = self.http.send(Request { method, url, headers: &self.headers, body }) {
                return Ok(response);
            }
            if attempt < attempts {
                std::thread::sleep(std::time::Duration::from_secs(1));
            }
        }
        let mut words = if attempts > 1 {
            format!("Failed to connect to Neutron server after {attempts} attempts")
        } else {
            "Failed to connect Neutron server".to_owned()
        };
        if let Some(hint) = self.hint {
            words.push('\n');
            words.push_str(hint);
        }
        Err(Fault::Connection(words))
    }

    /// All of a collection, page after page.
    ///
    /// # Errors
    /// See [`Api::request`].
    pub fn list(&mut self, path: &str, plural: &str, params: Params) -> Result<Vec<Value>, Fault> {
        let mut all = Vec::new();
        let mut params = params;
        let backwards = params.iter().any(|(key, value)| key == "page_reverse" && python::truthy(value));
        let rel = if backwards { "previous" } else { "next" };
        for _ in 0..PAGES_MAX {
            let Some(mut page) = self.request("GET", path, &params, None)? else { break };
            if let Some(Value::Array(items)) = page.get_mut(plural).map(Value::take) {
                all.extend(items);
            }
            let links = page.get(format!("{plural}_links")).and_then(Value::as_array);
            let link = links.into_iter().flatten().find(|link| link["rel"] == rel);
            let Some(href) = link.and_then(|link| link["href"].as_str()) else { break };
            params = parse_query(href);
        }
        Ok(all)
    }

    /// A resource by id or name, of which `fields` are returned (all, if empty).
    ///
    /// # Errors
    /// There is none, or several have the name.
    pub fn find(
        &mut self,
        resource: &'static Resource,
        wanted: &str,
        fields: &[&str],
    ) -> Result<Value, Fault> {
        let not_found =
            || Fault::NotFound(format!("Unable to find {} with name or id '{wanted}'", resource.name));
        if let Some(found) = self.find_by_id(resource, wanted, fields)? {
            return Ok(found);
        }
        let mut found = match self.list(resource.path, resource.plural, search("name", wanted, fields)) {
            Err(fault) if fault.is_not_found() => return Err(not_found()),
            other => other?,
        };
        match found.len() {
            0 => Err(not_found()),
            1 => Ok(found.swap_remove(0)),
            _ => Err(Fault::NotUnique { resource: resource.name, name: wanted.to_owned() }),
        }
    }

    fn find_by_id(
        &mut self,
        resource: &'static Resource,
        wanted: &str,
        fields: &[&str],
    ) -> Result<Option<Value>, Fault> {
        if !opens_with_uuid(wanted) {
            return Ok(None);
        }
        match self.list(resource.path, resource.plural, search("id", wanted, fields)) {
            Err(fault) if fault.is_not_found() => Ok(None),
            other => Ok(other?.into_iter().next()),
        }
    }

    /// The id of a resource given by id or name.
    ///
    /// # Errors
    /// See [`Api::find`].
    pub fn id(&mut self, resource: &'static Resource, wanted: &str) -> Result<String, Fault> {
        Ok(python::text(&self.find(resource, wanted, &["id"])?["id"]))
    }

    /// The id of a resource that has no name.
    ///
    /// # Errors
    /// There is none with that id.
    pub fn id_only(&mut self, resource: &'static Resource, wanted: &str) -> Result<String, Fault> {
        match self.find_by_id(resource, wanted, &["id"])? {
            Some(found) => Ok(python::text(&found["id"])),
            None => Err(Fault::NotFound(format!("Unable to find {} with id '{wanted}'", resource.name))),
        }
    }
}

fn search(key: &str, wanted: &str, fields: &[&str]) -> Params {
    let mut params = vec![(key.to_owned(), json!(wanted))];
    match fields {
        [] => {}
        [one] => params.push(("fields".to_owned(), json!(one))),
        many => params.push(("fields".to_owned(), json!(many))),
    }
    params
}

/// Whether the text begins with something like `8-4-4-4-12` hexadecimal digits.
pub fn opens_with_uuid(text: &str) -> bool {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    let bytes = text.as_bytes();
    bytes.len() >= 36
        && (0..36)
            .all(|at| if DASHES.contains(&at) { bytes[at] == b'-' } else { bytes[at].is_ascii_hexdigit() })
}

fn query(params: &Params) -> String {
    let mut pairs = Vec::new();
    for (key, value) in params {
        match value {
            Value::Array(items) => {
                pairs.extend(
                    items.iter().map(|item| format!("{}={}", quote(key), quote(&python::text(item)))),
                );
            }
            Value::Object(map) => {
                pairs.extend(map.keys().map(|item| format!("{}={}", quote(key), quote(item))))
            }
            other => pairs.push(format!("{}={}", quote(key), quote(&python::text(other)))),
        }
    }
    if params.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Percent encoding with `+` for a space, as in forms.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn unquote(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The parameters of a link to the next page; those with the same name together.
fn parse_query(href: &str) -> Params {
    let query = href.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let mut params: Params = Vec::new();
    for (key, value) in
        query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(_, v)| !v.is_empty())
    {
        let (key, value) = (unquote(key), json!(unquote(value)));
        match params.iter_mut().find(|(known, _)| *known == key) {
            Some((_, Value::Array(values))) => values.push(value),
            Some(_) | None => params.push((key, json!([value]))),
        }
    }
    params
}
