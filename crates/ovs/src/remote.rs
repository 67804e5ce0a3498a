//! Where a server of one of the protocols is reached.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// An address as Open vSwitch writes it: `unix:/run/openvswitch/db.sock`, `tcp:127.0.0.1:6640`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Remote {
    /// A socket in the file system.
    Unix(PathBuf),
    /// Host and port; the host may be a name or an address, IPv6 in brackets.
    Tcp(String),
}

/// Why an address is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no address: write unix:<path> or tcp:<host>:<port>")]
pub struct NoRemote(String);

impl FromStr for Remote {
    type Err = NoRemote;

    fn from_str(text: &str) -> Result<Self, NoRemote> {
        let wrong = || NoRemote(text.to_owned());
        match text.split_once(':') {
            Some(("unix", path)) if path.starts_with('/') => Ok(Remote::Unix(path.into())),
            Some(("tcp", place)) => {
                let (host, port) = place.rsplit_once(':').ok_or_else(wrong)?;
                let bare_v6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
                if host.is_empty() || bare_v6 || port.parse::<u16>().is_err() {
                    return Err(wrong());
                }
                Ok(Remote::Tcp(place.to_owned()))
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remote::Unix(path) => write!(f, "unix:{}", path.display()),
            Remote::Tcp(place) => write!(f, "tcp:{place}"),
        }
    }
}

/// Both directions of a connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Remote {
    /// Connects once.
    pub(crate) async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        match self {
            Remote::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Remote::Tcp(place) => {
                let stream = TcpStream::connect(place).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, ok) in [
            ("unix:/run/openvswitch/db.sock", true),
            ("tcp:127.0.0.1:6640", true),
            ("tcp:[::1]:6640", true),
            ("tcp:::1:6640", false),
            ("tcp:127.0.0.1", false),
            ("ssl:127.0.0.1:6640", false),
            ("unix:db.sock", false),
            ("tcp::6640", false),
        ] {
            let parsed = text.parse::<Remote>();
            assert_eq!(parsed.is_ok(), ok, "{text}");
            if let Ok(remote) = parsed {
                assert_eq!(remote.to_string(), text);
            }
        }
    }
}
