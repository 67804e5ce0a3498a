//! A flood of pings, and how many of them came back.

use std::process::{Child, Stdio};

use crate::host::Host;
use crate::report::words;

/// Seconds between two packets.
const EVERY: &str = "0.005";

/// Pings that are sent until they are ended.
pub struct Flood<'a> {
    from: &'a Host,
    child: Child,
}

/// What became of a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Packets sent.
    pub sent: u64,
    /// Packets that came back.
    pub back: u64,
}

impl Count {
    /// Packets that did not come back; the last one may still have been under way.
    pub fn lost(self) -> u64 {
        self.sent.saturating_sub(self.back).saturating_sub(1)
    }
}

impl<'a> Flood<'a> {
    /// Starts it.
    ///
    /// # Errors
    /// The host cannot be entered.
    pub fn start(from: &'a Host, to: &str) -> Result<Flood<'a>, String> {
        let mut command = from.command("ping");
        command.args(["-q", "-i", EVERY, "-W", "2", to]).stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(Flood { from, child: command.spawn().map_err(words)? })
    }

    /// Ends it and counts.
    ///
    /// # Errors
    /// It said nothing that can be understood.
    pub fn end(self) -> Result<Count, String> {
        // One flood per host: the host's processes are its own.
        self.from.sh("pkill -INT -x ping || true").map_err(words)?;
        let out = self.child.wait_with_output().map_err(words)?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        count(&text).ok_or_else(|| format!("ping said: {text}"))
    }
}

fn count(text: &str) -> Option<Count> {
    let line = text.lines().find(|line| line.contains("packets transmitted"))?;
    let number =
        |word: &str| line.split(", ").find(|part| part.contains(word))?.split(' ').next()?.parse().ok();
    Some(Count { sent: number("transmitted")?, back: number("received")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_last_words_are_read() {
        let text =
            "--- x ping statistics ---\n120 packets transmitted, 118 received, 1.6% packet loss, time 9ms\n";
        let count = count(text).unwrap();
        assert_eq!((count.sent, count.back, count.lost()), (120, 118, 1));
    }
}
