//! Queries and paths as text: decoding what clients send, encoding what links say.

/// The parameters of a query, decoded, in order.
pub fn decode(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unquote(&name.replace('+', " ")), unquote(&value.replace('+', " ")))
        })
        .collect()
}

/// A path, decoded.
pub fn decode_path(path: &str) -> String {
    unquote(path)
}

fn unquote(text: &str) -> String {
    if !text.contains('%') {
        return text.to_string();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code.filter(|_| *byte == b'%') {
            Some(code) => {
                out.push(code);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn quote(text: &str, plain: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(byte as char),
            b if plain.contains(&b) => out.push(b as char),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

/// A path as it stands in an address.
pub fn quote_path(path: &str) -> String {
    quote(path, b"/:@!$&'()*+,;=")
}

/// A query of these parameters.
pub fn encode(pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| {
        format!("{}={}", quote(name, b" ").replace(' ', "+"), quote(value, b" ").replace(' ', "+"))
    });
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_and_written() {
        let pairs = decode("name=a+b&x=%C3%A4%&router%3Aexternal=true&flag");
        let wanted = [("name", "a b"), ("x", "ä%"), ("router:external", "true"), ("flag", "")];
        assert_eq!(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>(), wanted);
        assert_eq!(encode(&pairs), "name=a+b&x=%C3%A4%25&router%3Aexternal=true&flag=");
    }
}
