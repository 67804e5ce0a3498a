//! `transport_url`: which brokers, whose account, which virtual host. Pure.

/// One broker of a cluster.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Without the password: it ends up in logs.
impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.user, self.place())
    }
}

impl Broker {
    /// `host:port`
    pub(crate) fn place(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// A transport URL, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Url {
    pub(crate) brokers: Vec<Broker>,
    pub(crate) virtual_host: String,
    /// The scheme asks for TLS.
    pub(crate) tls: bool,
    /// Options of `[oslo_messaging_rabbit]` that the URL sets.
    pub(crate) options: Vec<(String, String)>,
}

impl Url {
    /// Reads `rabbit://user:password@host:port,…/virtual_host?option=value` as oslo.messaging does.
    pub(crate) fn parse(text: &str) -> Result<Url, String> {
        let (scheme, rest) = text.trim().split_once("://").ok_or("it does not begin with rabbit://")?;
        let tls = match scheme {
            "rabbit" | "kombu" | "kombu+amqp" | "kombu+rabbit" | "amqp" => false,
            "amqps" | "kombu+amqps" => true,
            other => {
                return Err(format!("messages travel by RabbitMQ only: write rabbit://, not {other}://"));
            }
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (places, path) = rest.split_once('/').unwrap_or((rest, ""));
        let port = if tls { 5671 } else { 5672 };
        let mut brokers = Vec::new();
        for text in places.split(',').filter(|text| !text.is_empty()) {
            brokers.push(broker(text, port)?);
        }
        if brokers.is_empty() {
            brokers.push(broker("localhost", port)?);
        }
        let virtual_host = match decode(path)? {
            path if path.is_empty() => "/".to_string(),
            path => path,
        };
        let options = query.split('&').filter_map(|pair| pair.split_once('='));
        let options = options.map(|(name, value)| Ok((decode(name)?, decode(&value.replace('+', " "))?)));
        Ok(Url { brokers, virtual_host, tls, options: options.collect::<Result<_, String>>()? })
    }
}

/// `user:password@host:port`; without an account, the one that RabbitMQ comes with.
fn broker(text: &str, port: u16) -> Result<Broker, String> {
    let (account, at) = match text.rsplit_once('@') {
        Some((account, at)) => (Some(account), at),
        None => (None, text),
    };
    let (user, password) = match account {
        Some(account) => {
            let (user, password) = account.split_once(':').unwrap_or((account, ""));
            (decode(user)?, decode(password)?)
        }
        None => ("guest".to_string(), "guest".to_string()),
    };
    let (host, own_port) = place(at)?;
    if host.is_empty() {
        return Err("a broker has no host; write rabbit://user:password@host:5672/".into());
    }
    Ok(Broker { host, port: own_port.unwrap_or(port), user, password })
}

/// `host`, `host:port`, `[v6]:port`
pub(crate) fn place(text: &str) -> Result<(String, Option<u16>), String> {
    let number = |port: &str| match port.parse() {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => {
            Err(format!("\"{port}\" is no port; behind the host and a colon stands a number from 1 to 65535"))
        }
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) = rest.split_once(']').ok_or_else(|| format!("\"{text}\" lacks a ]"))?;
        return match tail.strip_prefix(':') {
            Some(port) => Ok((host.into(), number(port)?)),
            None => Ok((host.into(), None)),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Ok((host.into(), number(port)?)),
        // More than one colon: an IPv6 address without brackets.
        _ if text.contains(':') => Ok((text.into(), None)),
        _ => Ok((text.into(), None)),
    }
}

/// Resolves `%nn`.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("a % is not followed by two hexadecimal digits; write %25 for the sign itself".into());
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| "what its %nn say is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match Url::parse(text) {
            Ok(url) => {
                let brokers: Vec<_> =
                    url.brokers.iter().map(|b| format!("{}:{}@{}", b.user, b.password, b.place())).collect();
                format!("{} {} tls={} {:?}", brokers.join(","), url.virtual_host, url.tls, url.options)
            }
            Err(what) => what,
        }
    }

    #[test]
    fn reads_what_operators_write() {
        for (text, expected) in [
            ("rabbit://openstack:secret@controller", "openstack:secret@controller:5672 / tls=false []"),
            ("rabbit://openstack:secret@controller:5673/", "openstack:secret@controller:5673 / tls=false []"),
            ("rabbit://a:b@h1:1,c:d@h2:2//neutron", "a:b@h1:1,c:d@h2:2 /neutron tls=false []"),
            ("rabbit://a:b@h1/%2Fneutron", "a:b@h1:5672 /neutron tls=false []"),
            ("rabbit://u%40x:p%3a%2F%25@h/v", "u@x:p:/%@h:5672 v tls=false []"),
            ("rabbit://u@x:p@h/v", "u@x:p@h:5672 v tls=false []"),
            ("kombu+amqp://a:b@[::1]:5671/", "a:b@[::1]:5671 / tls=false []"),
            ("rabbit://a:b@[fd00::1]/", "a:b@[fd00::1]:5672 / tls=false []"),
            ("amqps://a:b@h/", "a:b@h:5671 / tls=true []"),
            ("rabbit://", "guest:guest@localhost:5672 / tls=false []"),
            (
                "rabbit://h/?ssl=1&ssl_ca_file=/etc/ca.pem",
                "guest:guest@h:5672 / tls=false [(\"ssl\", \"1\"), (\"ssl_ca_file\", \"/etc/ca.pem\")]",
            ),
            ("controller:5672", "it does not begin with rabbit://"),
            ("fake://", "messages travel by RabbitMQ only: write rabbit://, not fake://"),
            (
                "rabbit://a:b@h:x/",
                "\"x\" is no port; behind the host and a colon stands a number from 1 to 65535",
            ),
            (
                "rabbit://a:100%@h/",
                "a % is not followed by two hexadecimal digits; write %25 for the sign itself",
            ),
            ("rabbit://a:b@/", "a broker has no host; write rabbit://user:password@host:5672/"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn shows_no_password() {
        let url = Url::parse("rabbit://openstack:secret@controller").unwrap();
        assert!(!format!("{url:?}").contains("secret"));
    }
}
