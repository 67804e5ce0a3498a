//! A flood of pings, and how many of them came back.

use std::io::Read;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;

use crate::host::Host;
use crate::report::words;

/// Seconds between two packets.
const EVERY: &str = "0.005";
/// Packets that may be under way when a flood is ended: those of a tenth of a second.
const UNDER_WAY_MAX: u64 = 20;
/// Numbers of packets begin anew after this many.
const NUMBERS: u64 = 1 << 16;

/// Pings that are sent until they are ended.
pub struct Flood<'a> {
    from: &'a Host,
    child: Child,
    said: JoinHandle<String>,
}

/// What became of a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Packets sent.
    pub sent: u64,
    /// Packets that came back.
    pub back: u64,
    /// Packets after the last one that came back: ping does not wait for them when it is ended.
    pub after: u64,
}

impl Count {
    /// Packets that did not come back, but for those that may still have been under way.
    pub fn lost(self) -> u64 {
        let under_way = if self.after <= UNDER_WAY_MAX { self.after } else { 0 };
        self.sent.saturating_sub(self.back).saturating_sub(under_way)
    }
}

impl<'a> Flood<'a> {
    /// Starts it.
    ///
    /// # Errors
    /// The host cannot be entered.
    pub fn start(from: &'a Host, to: &str) -> Result<Flood<'a>, String> {
        let mut command = from.command("ping");
        command.args(["-i", EVERY, "-W", "2", to]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(words)?;
        let mut out = child.stdout.take().ok_or("ping has no output")?;
        let said = std::thread::spawn(move || {
            let mut text = String::new();
            // What is missing is seen when it is read.
            let _ = out.read_to_string(&mut text);
            text
        });
        Ok(Flood { from, child, said })
    }

    /// Ends it and counts.
    ///
    /// # Errors
    /// It said nothing that can be understood.
    pub fn end(mut self) -> Result<Count, String> {
        // One flood per host: the host's processes are its own.
        self.from.sh("pkill -INT -x ping || true").map_err(words)?;
        self.child.wait().map_err(words)?;
        let text = self.said.join().map_err(|_| "what ping said could not be read")?;
        count(&text).ok_or_else(|| {
            let end = text.lines().rev().take(5).collect::<Vec<_>>();
            format!("ping ended with: {end:?}")
        })
    }
}

fn count(text: &str) -> Option<Count> {
    let line = text.lines().find(|line| line.contains("packets transmitted"))?;
    let number =
        |word: &str| line.split(", ").find(|part| part.contains(word))?.split(' ').next()?.parse().ok();
    let (sent, back) = (number("transmitted")?, number("received")?);
    let sequence = |line: &str| line.split_once("icmp_seq=")?.1.split(' ').next()?.parse::<u64>().ok();
    let last = text.lines().filter(|line| line.contains("bytes from")).filter_map(sequence).next_back();
    // Before the first came back, all are after it.
    let after = last.map_or(sent, |last| (sent % NUMBERS + NUMBERS - last) % NUMBERS);
    Some(Count { sent, back, after })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_not_lost() {
        let said = |sent: u64, back: u64, last: u64| {
            let text = format!(
                "PING x (10.1.0.1) 56(84) bytes of data.\n64 bytes from 10.1.0.1: icmp_seq={last} ttl=64 time=0.2 ms\n\n\
                 --- x ping statistics ---\n{sent} packets transmitted, {back} received, 1.6% packet loss, time 9ms\n"
            );
            count(&text).unwrap().lost()
        };
        for (sent, back, last, lost) in [
            (120, 120, 120, 0),
            (120, 118, 118, 0),
            (120, 118, 119, 1),
            (120, 118, 120, 2),
            (120, 20, 20, 100),
            (65_538, 65_534, 65_534, 0),
            (65_538, 65_536, 0, 0),
            (65_538, 65_537, 2, 1),
        ] {
            assert_eq!(said(sent, back, last), lost, "{sent} {back} {last}");
        }
        let none =
            "--- x ping statistics ---\n90 packets transmitted, 0 received, 100% packet loss, time 9ms\n";
        assert_eq!(count(none).unwrap().lost(), 90);
        assert_eq!(count("ping: x: Name or service not known\n"), None);
    }
}
