//! JSON-RPC 1.0 as OVSDB uses it: texts one after the other on a stream, in both directions.

use serde_json::{Value as Json, json};

use super::Malformed;

/// The longest message taken in, in bytes. A database of many thousand ports stays far below.
const MESSAGE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A message in either direction.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Wants an answer.
    Request {
        /// Comes back in the answer.
        id: Json,
        /// `transact`, `echo` …
        method: String,
        /// In order.
        params: Json,
    },
    /// The answer.
    Response {
        /// That of the request.
        id: Json,
        /// What came of it; an error is a text or an object.
        result: Result<Json, Json>,
    },
    /// Wants none.
    Notification {
        /// `update`, `update2` …
        method: String,
        /// In order.
        params: Json,
    },
}

impl Message {
    /// A request with a number for its id.
    pub fn request(id: u64, method: &str, params: Json) -> Message {
        Message::Request { id: json!(id), method: method.to_owned(), params }
    }

    /// Reads one text.
    ///
    /// # Errors
    /// When it is no JSON-RPC.
    pub fn read(text: &[u8]) -> Result<Message, Malformed> {
        let wrong = || Malformed::new("a message", String::from_utf8_lossy(text));
        let mut json: Json = serde_json::from_slice(text).map_err(|_| wrong())?;
        let fields = json.as_object_mut().ok_or_else(wrong)?;
        let mut take = |name: &str| fields.get_mut(name).map_or(Json::Null, Json::take);
        let (id, method, params) = (take("id"), take("method"), take("params"));
        match (method, id) {
            (Json::String(method), Json::Null) => Ok(Message::Notification { method, params }),
            (Json::String(method), id) => Ok(Message::Request { id, method, params }),
            (Json::Null, id) if !id.is_null() => {
                let error = take("error");
                let result = if error.is_null() { Ok(take("result")) } else { Err(error) };
                Ok(Message::Response { id, result })
            }
            _ => Err(wrong()),
        }
    }

    /// Writes it.
    #[must_use]
    pub fn json(&self) -> Json {
        match self {
            Message::Request { id, method, params } => json!({"method": method, "params": params, "id": id}),
            Message::Response { id, result: Ok(result) } => {
                json!({"result": result, "error": null, "id": id})
            }
            Message::Response { id, result: Err(error) } => json!({"result": null, "error": error, "id": id}),
            Message::Notification { method, params } => {
                json!({"method": method, "params": params, "id": null})
            }
        }
    }
}

/// Cuts a stream of bytes into JSON objects: nothing on the wire says where one ends but its last brace.
#[derive(Debug, Default)]
pub struct Splitter {
    bytes: Vec<u8>,
    /// Looked at so far.
    at: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Splitter {
    /// Takes in what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole text.
    ///
    /// # Errors
    /// When it is none, or too long.
    pub fn next_text(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        while let Some(byte) = self.bytes.get(self.at) {
            let byte = *byte;
            self.at += 1;
            if self.in_string {
                (self.in_string, self.escaped) = match byte {
                    _ if self.escaped => (true, false),
                    b'\\' => (true, true),
                    b'"' => (false, false),
                    _ => (true, false),
                };
                continue;
            }
            match byte {
                b'"' if self.depth > 0 => self.in_string = true,
                b'{' => self.depth += 1,
                b'[' if self.depth > 0 => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' if self.depth == 1 => {
                    self.depth = 0;
                    let rest = self.bytes.split_off(self.at);
                    self.at = 0;
                    return Ok(Some(std::mem::replace(&mut self.bytes, rest)));
                }
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ if self.depth > 0 => {}
                _ => return Err(Malformed::new("the stream", String::from_utf8_lossy(&self.bytes))),
            }
        }
        if self.bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Malformed::new(
                "the stream",
                format_args!("a message of over {MESSAGE_BYTES_MAX} bytes"),
            ));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_in_any_pieces() {
        let one = r#"{"method":"echo","params":["}\"{\\"],"id":"echo"}"#;
        let two = r#"{"id":3,"error":null,"result":[{"count":1}]}"#;
        let stream = format!("{one}{two}\n{one}");
        for size in [1, 2, 7, 1000] {
            let mut splitter = Splitter::default();
            let mut found = Vec::new();
            for piece in stream.as_bytes().chunks(size) {
                splitter.feed(piece);
                while let Some(text) = splitter.next_text().unwrap() {
                    found.push(String::from_utf8(text).unwrap().trim().to_owned());
                }
            }
            assert_eq!(found, [one, two, one], "in pieces of {size}");
        }
        let mut odd = Splitter::default();
        odd.feed(b"HTTP/1.1 400");
        assert!(odd.next_text().is_err());
    }

    #[test]
    fn messages() {
        let read = |text: &str| Message::read(text.as_bytes());
        assert_eq!(
            read(r#"{"method":"echo","params":[],"id":"echo"}"#),
            Ok(Message::Request { id: json!("echo"), method: "echo".into(), params: json!([]) })
        );
        assert_eq!(
            read(r#"{"method":"update","params":[1,{}],"id":null}"#),
            Ok(Message::Notification { method: "update".into(), params: json!([1, {}]) })
        );
        assert_eq!(
            read(r#"{"id":3,"result":null,"error":"canceled"}"#),
            Ok(Message::Response { id: json!(3), result: Err(json!("canceled")) })
        );
        assert!(read("{}").is_err() && read("[1]").is_err());
        let request = Message::request(1, "list_dbs", json!([]));
        assert_eq!(Message::read(request.json().to_string().as_bytes()), Ok(request));
    }
}
