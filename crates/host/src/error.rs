//! What can go wrong between us and the kernel or a tool.

use std::io;

/// A failed step on the host. The text says which step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call or file operation.
    #[error("{what}: {source}")]
    Io {
        /// The step, with the names it was about.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A tool ended with a failure.
    #[error("{program} failed ({status}): {stderr}")]
    Tool {
        /// The program as it was called, with its arguments.
        program: String,
        /// Its exit status in words.
        status: String,
        /// What it wrote to standard error, shortened.
        stderr: String,
    },
    /// The kernel or a tool said something that cannot be read.
    #[error("{0}")]
    Odd(String),
}

/// `Result` of a step on the host.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An I/O error of the step `what`.
    pub fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Error::Io { what: what.into(), source: source.into() }
    }

    /// The errno, if the kernel gave one.
    #[must_use]
    pub fn errno(&self) -> Option<nix::errno::Errno> {
        match self {
            Error::Io { source, .. } => source.raw_os_error().map(nix::errno::Errno::from_raw),
            Error::Tool { .. } | Error::Odd(_) => None,
        }
    }

    /// Whether the thing the step was about is not (or no longer) there.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        use nix::errno::Errno;
        matches!(
            self.errno(),
            Some(Errno::ENODEV | Errno::ENOENT | Errno::ESRCH | Errno::EADDRNOTAVAIL | Errno::ENXIO)
        )
    }

    /// Whether the kernel lacks what the step needs.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        self.errno() == Some(nix::errno::Errno::EOPNOTSUPP)
    }

    /// Whether the address family of the step is switched off (`disable_ipv6`) or not there at all.
    #[must_use]
    pub fn is_switched_off(&self) -> bool {
        use nix::errno::Errno;
        matches!(self.errno(), Some(Errno::EACCES | Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT))
    }

    /// Whether the thing the step wanted to make exists already.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.errno() == Some(nix::errno::Errno::EEXIST)
    }
}
