//! Where lines go: standard error, a file, the system's log, systemd's journal.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

const SYSLOG_SOCKET: &str = "/dev/log";
const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";

/// syslog's facilities by name, from syslog(3).
const FACILITIES: &[(&str, u8)] = &[
    ("KERN", 0),
    ("USER", 1),
    ("MAIL", 2),
    ("DAEMON", 3),
    ("AUTH", 4),
    ("SYSLOG", 5),
    ("LPR", 6),
    ("NEWS", 7),
    ("UUCP", 8),
    ("CRON", 9),
    ("AUTHPRIV", 10),
    ("FTP", 11),
    ("LOCAL0", 16),
    ("LOCAL1", 17),
    ("LOCAL2", 18),
    ("LOCAL3", 19),
    ("LOCAL4", 20),
    ("LOCAL5", 21),
    ("LOCAL6", 22),
    ("LOCAL7", 23),
];

/// Where lines go.
pub(super) enum Sink {
    /// Standard error.
    Stderr,
    /// A file that is appended to.
    File(LogFile),
    /// The system's log.
    Syslog { socket: UnixDatagram, program: String, facility: u8 },
    /// systemd's journal.
    Journal { socket: UnixDatagram, program: String },
}

/// A log file and whether it is looked after.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    watched: bool,
}

impl Sink {
    /// A file; `watched` when it is begun anew after somebody moved it away.
    pub(super) fn file(path: PathBuf, watched: bool) -> Result<Sink, String> {
        let file = open(&path)?;
        Ok(Sink::File(LogFile { path, file, watched }))
    }

    /// The system's log with one of its facilities.
    pub(super) fn syslog(program: &str, facility: &str) -> Result<Sink, String> {
        let name = facility.to_uppercase();
        let name = name.strip_prefix("LOG_").unwrap_or(&name);
        let Some((_, facility)) = FACILITIES.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = FACILITIES.iter().map(|(known, _)| *known).collect();
            return Err(format!(
                "[DEFAULT] syslog_log_facility = {facility} is none; there are {}",
                known.join(", ")
            ));
        };
        let socket = connect(SYSLOG_SOCKET, "use_syslog")?;
        Ok(Sink::Syslog { socket, program: program.to_string(), facility: *facility })
    }

    /// systemd's journal.
    pub(super) fn journal(program: &str) -> Result<Sink, String> {
        Ok(Sink::Journal { socket: connect(JOURNAL_SOCKET, "use_journal")?, program: program.to_string() })
    }

    /// Writes a line that ends in a line feed. What cannot be written is lost: there is nowhere to say so.
    pub(super) fn write(&mut self, line: &str, severity: u8) {
        match self {
            Sink::Stderr => drop(std::io::stderr().write_all(line.as_bytes())),
            Sink::File(file) => file.write(line),
            Sink::Syslog { socket, program, facility } => {
                let message = syslog_message(program, *facility, severity, line);
                drop(socket.send(message.as_bytes()));
            }
            Sink::Journal { socket, program } => {
                drop(socket.send(&journal_message(program, severity, line)));
            }
        }
    }
}

impl LogFile {
    fn write(&mut self, line: &str) {
        if self.watched && self.is_gone() {
            // Where no new one can be made, the old one still takes lines.
            if let Ok(file) = open(&self.path) {
                self.file = file;
            }
        }
        drop(self.file.write_all(line.as_bytes()));
    }

    fn is_gone(&self) -> bool {
        let here = |m: std::fs::Metadata| (m.dev(), m.ino());
        let written = self.file.metadata().map(here).ok();
        std::fs::metadata(&self.path).map(here).ok() != written
    }
}

fn open(path: &Path) -> Result<File, String> {
    let open = File::options().create(true).append(true).open(path);
    open.map_err(|e| format!("the log file {} cannot be opened: {e}", path.display()))
}

fn connect(path: &str, option: &str) -> Result<UnixDatagram, String> {
    let socket = UnixDatagram::unbound().and_then(|socket| socket.connect(path).map(|()| socket));
    let socket = socket.map_err(|e| format!("[DEFAULT] {option}: {path} cannot be reached: {e}"))?;
    // A log that does not keep up must not hold the service.
    socket.set_nonblocking(true).map_err(|e| format!("[DEFAULT] {option}: {path}: {e}"))?;
    Ok(socket)
}

fn syslog_message(program: &str, facility: u8, severity: u8, line: &str) -> String {
    format!(
        "<{}>{program}[{}]: {}",
        u32::from(facility) * 8 + u32::from(severity),
        std::process::id(),
        line.trim_end()
    )
}

/// The journal's own protocol: a field a line; a value with line feeds has its length before it.
fn journal_message(program: &str, severity: u8, line: &str) -> Vec<u8> {
    let text = line.trim_end();
    let mut message = format!("PRIORITY={severity}\nSYSLOG_IDENTIFIER={program}\n").into_bytes();
    if text.contains('\n') {
        message.extend(b"MESSAGE\n");
        message.extend((text.len() as u64).to_le_bytes());
    } else {
        message.extend(b"MESSAGE=");
    }
    message.extend(text.as_bytes());
    message.push(b'\n');
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_syslog_and_journal() {
        let pid = std::process::id();
        assert_eq!(
            syslog_message("neutron-server", 3, 6, "hello\n"),
            format!("<30>neutron-server[{pid}]: hello")
        );
        assert_eq!(journal_message("n", 4, "a\n"), b"PRIORITY=4\nSYSLOG_IDENTIFIER=n\nMESSAGE=a\n");
        assert_eq!(
            journal_message("n", 4, "a\nb\n"),
            b"PRIORITY=4\nSYSLOG_IDENTIFIER=n\nMESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n"
        );
        assert!(Sink::syslog("n", "LOG_NOWHERE").is_err_and(|why| why.contains("LOCAL7")));
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let dir = std::env::temp_dir().join(format!("neutron-log-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("log");
        for (watched, left) in [(true, "two\n"), (false, "")] {
            let mut sink = Sink::file(path.clone(), watched).unwrap();
            sink.write("one\n", 6);
            std::fs::rename(&path, dir.join("log.1")).unwrap();
            sink.write("two\n", 6);
            assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), left);
            drop(std::fs::remove_file(&path));
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
