//! A browser that does what a user does: headless Chromium on a host, driven through chromedriver by the WebDriver
//! protocol (W3C, <https://www.w3.org/TR/webdriver2/>): JSON over HTTP/1.1.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::host::Host;
use crate::report::{within, words};

/// Where chromedriver listens on its host.
const PORT: u16 = 9515;
/// Its name as a daemon.
const DAEMON: &str = "chromedriver";
/// How long chromedriver and Chromium may take to start.
const START_MAX: Duration = Duration::from_secs(60);
/// How long an answer may take: that to `open` comes with the page.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// How long what a page shows may take to be there.
const SHOWN_MAX: Duration = Duration::from_secs(30);
/// Longest answer that is read, in octets: a screenshot.
const BODY_MAX: u64 = 16 << 20;
/// The window, in pixels.
const WINDOW: (u32, u32) = (1280, 1000);
/// The key under which the protocol names elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How an element is found.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// By a selector of CSS.
    Css(&'a str),
    /// By an expression of XPath.
    XPath(&'a str),
}

impl By<'_> {
    fn body(self) -> Value {
        let (using, value) = match self {
            By::Css(value) => ("css selector", value),
            By::XPath(value) => ("xpath", value),
        };
        json!({"using": using, "value": value})
    }
}

/// An element of the page that is open.
#[derive(Clone, Debug)]
pub struct Element(String);

/// A browser with one window.
pub struct Browser<'a> {
    host: &'a Host,
    /// `/session/ID`.
    session: String,
}

impl<'a> Browser<'a> {
    /// Starts chromedriver and through it Chromium.
    ///
    /// # Errors
    /// One of them is not installed or does not start.
    pub fn start(host: &'a Host) -> Result<Self, String> {
        let home = "/run/browser";
        host.run(&["mkdir", "-p", home]).map_err(words)?;
        let port = format!("--port={PORT}");
        let daemon = Daemon::new(DAEMON, &["chromedriver", &port]).env("HOME", home);
        host.start_daemon(&daemon).map_err(words)?;
        let mut browser = Self { host, session: String::new() };
        within(START_MAX, || browser.command("GET", "/status", &Value::Null))
            .map_err(|why| format!("{why}\n{}", host.daemon_log(DAEMON, 20)))?;
        let (width, height) = WINDOW;
        let size = format!("--window-size={width},{height}");
        let profile = format!("--user-data-dir={home}/profile");
        // Root has no sandbox; nothing is to be looked for outside of the host.
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--no-proxy-server",
            "--hide-scrollbars",
            "--lang=en",
            &size,
            &profile,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": args, "prefs": {"intl.accept_languages": "en"}},
            "goog:loggingPrefs": {"browser": "ALL"}}}});
        let made = browser.command("POST", "/session", &wanted)?;
        let id = made["sessionId"].as_str().ok_or_else(|| format!("no session: {made}"))?;
        browser.session = format!("/session/{id}");
        Ok(browser)
    }

    /// Opens a page and waits until it is loaded.
    ///
    /// # Errors
    /// It cannot be reached.
    pub fn open(&self, url: &str) -> Result<(), String> {
        self.ask("POST", "/url", &json!({ "url": url })).map(|_| ())
    }

    /// The address of the page.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn url(&self) -> Result<String, String> {
        Ok(self.ask("GET", "/url", &Value::Null)?.as_str().unwrap_or_default().to_owned())
    }

    /// The first element that fits, now.
    ///
    /// # Errors
    /// None does.
    pub fn find(&self, by: By<'_>) -> Result<Element, String> {
        element(&self.ask("POST", "/element", &by.body())?)
    }

    /// The first element that fits, as soon as the user sees it.
    ///
    /// # Errors
    /// None does in time.
    pub fn seen(&self, by: By<'_>) -> Result<Element, String> {
        within(SHOWN_MAX, || {
            let found = self.find(by)?;
            if self.displayed(&found)? { Ok(found) } else { Err(format!("{by:?} is hidden")) }
        })
    }

    /// Whether the user sees an element.
    ///
    /// # Errors
    /// It is gone.
    pub fn displayed(&self, element: &Element) -> Result<bool, String> {
        let answer = self.ask("GET", &format!("/element/{}/displayed", element.0), &Value::Null)?;
        Ok(answer.as_bool().unwrap_or(false))
    }

    /// Clicks what fits, as soon as the click reaches it.
    ///
    /// # Errors
    /// It cannot be clicked in time.
    pub fn click(&self, by: By<'_>) -> Result<(), String> {
        within(SHOWN_MAX, || {
            let found = self.find(by)?;
            self.ask("POST", &format!("/element/{}/click", found.0), &json!({}))
        })
        .map(|_| ())
        .map_err(|why| format!("click {by:?}: {why}"))
    }

    /// Types a text into an empty field.
    ///
    /// # Errors
    /// There is no such field in time.
    pub fn enter(&self, by: By<'_>, text: &str) -> Result<(), String> {
        let field = self.seen(by)?;
        self.ask("POST", &format!("/element/{}/clear", field.0), &json!({}))?;
        self.ask("POST", &format!("/element/{}/value", field.0), &json!({ "text": text })).map(|_| ())
    }

    /// What a user reads in an element.
    ///
    /// # Errors
    /// It is gone.
    pub fn text(&self, element: &Element) -> Result<String, String> {
        let answer = self.ask("GET", &format!("/element/{}/text", element.0), &Value::Null)?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// What a function's body in JavaScript returns.
    ///
    /// # Errors
    /// It throws.
    pub fn script(&self, body: &str) -> Result<Value, String> {
        self.ask("POST", "/execute/sync", &json!({"script": body, "args": []}))
    }

    /// What the browser's console says since it was asked last: level and words.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn console(&self) -> Result<Vec<(String, String)>, String> {
        let answer = self.ask("POST", "/se/log", &json!({"type": "browser"}))?;
        let word = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let entries = answer.as_array().into_iter().flatten();
        Ok(entries.map(|entry| (word(entry, "level"), word(entry, "message"))).collect())
    }

    /// What the window shows, as a PNG.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn screenshot(&self) -> Result<Vec<u8>, String> {
        let answer = self.ask("GET", "/screenshot", &Value::Null)?;
        STANDARD.decode(answer.as_str().unwrap_or_default()).map_err(words)
    }

    /// A command to the session.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.command(method, &format!("{}{path}", self.session), body)
    }

    /// A command to chromedriver; its answer's `value`.
    fn command(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let told = self.exchange(method, path, body).map_err(|error| format!("{DAEMON}: {error}"))?;
        let mut answer: Value = serde_json::from_slice(&told).map_err(words)?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            None => Ok(value),
            Some(error) => {
                let message = value["message"].as_str().unwrap_or_default();
                Err(format!("{error}: {}", message.lines().next().unwrap_or_default()))
            }
        }
    }

    /// chromedriver speaks HTTP/1.1 only, and says how long its answers are.
    fn exchange(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Vec<u8>> {
        let mut stream = self.host.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)))?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        answered(&mut BufReader::new(stream))
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // It may have ended by itself; its host ends what is left.
            let _ = self.ask("DELETE", "", &Value::Null);
        }
        let _ = self.host.signal_daemon(DAEMON, "TERM");
    }
}

fn element(answer: &Value) -> Result<Element, String> {
    let id = answer[ELEMENT].as_str().ok_or_else(|| format!("no element: {answer}"))?;
    Ok(Element(id.to_owned()))
}

/// The body of an answer.
fn answered(stream: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::Error::other("the answer has no end"));
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    if length > BODY_MAX {
        return Err(std::io::Error::other(format!("an answer of {length} octets")));
    }
    let mut body = Vec::new();
    stream.take(length).read_to_end(&mut body)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_it_says() {
        let mut text = b"HTTP/1.1 200 OK\r\nContent-Length:5\r\n\r\n{\"a\"}more".as_slice();
        assert_eq!(answered(&mut text).unwrap(), b"{\"a\"}");
        assert!(answered(&mut b"HTTP/1.1 200 OK\r\n".as_slice()).is_err());
        let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", u64::MAX);
        assert!(answered(&mut endless.as_bytes()).is_err());
    }

    #[test]
    fn elements_are_named_by_the_protocols_key() {
        assert_eq!(element(&json!({ELEMENT: "e1"})).unwrap().0, "e1");
        assert!(element(&json!({"ELEMENT": "e1"})).is_err());
    }
}
