//! Frames made by hand with a mark in each, and captures that tell which marks come by at a device.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::host::Host;
use crate::report::{within, words};

/// Functions in Python that make frames: `udp`, `arp`, `advertise`, `router` …
pub const KINDS: &str = include_str!("frames/kinds.py");
/// What sends them by an instance's card.
const SEND: &str = include_str!("frames/send.py");
/// How often each frame is sent: a switch that does not know its kind yet may drop or turn the first ones.
const ROUNDS: &str = "4";
/// Seconds between rounds.
const PAUSE: &str = "0.05";
/// How long frames may be on their way.
const ARRIVED: Duration = Duration::from_millis(300);
/// How long a capture may take to begin or to end.
const CAPTURE_MAX: Duration = Duration::from_secs(10);
/// What marks begin with; two digits and a full stop follow.
const MARK: &[u8] = b"mark";

/// What an instance may pretend to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Another's hardware address.
    Mac,
    /// Another's address.
    Ip,
    /// Where addresses of IPv4 are.
    Arp,
    /// Where addresses of IPv6 are.
    Nd,
    /// A server of DHCP.
    Dhcp,
    /// A router.
    Ra,
}

impl Lie {
    /// All of them.
    pub const ALL: [Lie; 6] = [Lie::Mac, Lie::Ip, Lie::Arp, Lie::Nd, Lie::Dhcp, Lie::Ra];
}

/// How often each mark was seen.
pub type Marks = BTreeMap<u8, usize>;

/// The text of a mark, for a frame's `data`.
pub fn mark(number: u8) -> String {
    format!("mark{number:02}.")
}

/// Sends frames by an instance's card, several times each, and leaves them time to arrive.
///
/// # Errors
/// One cannot be made or sent.
pub fn send(from: &Host, calls: &[String]) -> Result<(), String> {
    let program = format!("{KINDS}\n{SEND}");
    let mut all = vec!["python3", "-c", &program, ROUNDS, PAUSE];
    all.extend(calls.iter().map(String::as_str));
    from.run(&all).map_err(|error| last_line(&error.to_string()))?;
    std::thread::sleep(ARRIVED);
    Ok(())
}

/// Of a complaint the program itself is left out.
fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().to_owned()
}

/// Where a device is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The network namespace on the host; none: the host's own.
    pub netns: Option<String>,
    /// The device.
    pub device: String,
}

impl Place {
    /// A device of the host's own namespace.
    pub fn of(device: &str) -> Place {
        Place { netns: None, device: device.to_owned() }
    }
}

/// Captures whatever passes a device, in and out, until it is ended.
pub struct Capture<'a> {
    host: &'a Host,
    /// The device.
    pub place: Place,
    file: String,
    pid: String,
}

impl<'a> Capture<'a> {
    /// Begins captures at several places of hosts; they all run when this returns.
    ///
    /// # Errors
    /// A device is not there, or tcpdump does not start.
    pub fn start(places: Vec<(&'a Host, Place)>) -> Result<Vec<Capture<'a>>, String> {
        let begin = |(host, place): (&'a Host, Place)| Capture::begin(host, place);
        let captures: Vec<Capture<'a>> = places.into_iter().map(begin).collect::<Result<_, _>>()?;
        for capture in &captures {
            capture.wait("grep -q 'listening on' FILE.log")?;
        }
        Ok(captures)
    }

    fn begin(host: &'a Host, place: Place) -> Result<Capture<'a>, String> {
        let inside = place.netns.as_deref().map_or(String::new(), |netns| format!("ip netns exec {netns} "));
        let device = &place.device;
        let file = format!("/run/seen-{}-{device}", place.netns.as_deref().unwrap_or_default());
        let line = format!(
            "rm -f {file}*; {inside}tcpdump -U --immediate-mode -Z root -n -s 512 -w {file} -i {device} \
             </dev/null >/dev/null 2>{file}.log & echo $!"
        );
        let pid = host.sh(&line).map_err(words)?.trim().to_owned();
        Ok(Capture { host, place, file, pid })
    }

    fn wait(&self, test: &str) -> Result<(), String> {
        let test = test.replace("FILE", &self.file);
        let told = || self.host.run(&["cat", &format!("{}.log", self.file)]).unwrap_or_default();
        let done = within(CAPTURE_MAX, || self.host.sh(&test).map_err(words));
        done.map(|_| ()).map_err(|why| format!("{}: {why} {}", self.named(), told()))
    }

    /// Host and device.
    pub fn named(&self) -> String {
        let inside = self.place.netns.as_ref().map_or(String::new(), |netns| format!("{netns}:"));
        format!("{}:{inside}{}", self.host.name(), self.place.device)
    }

    /// Ends it; the marks of the frames that were seen.
    ///
    /// # Errors
    /// tcpdump does not end, or its file cannot be read.
    pub fn end(self) -> Result<Marks, String> {
        self.stop()?;
        let octets = std::fs::read(self.host.path(&self.file)).map_err(words)?;
        Ok(marks(&octets))
    }

    /// As [`Capture::end`], of the frames that an expression of tcpdump's names.
    ///
    /// # Errors
    /// As [`Capture::end`].
    pub fn end_with(self, only: &str) -> Result<Marks, String> {
        self.stop()?;
        let file = &self.file;
        self.host.sh(&format!("tcpdump -n -r {file} -w {file}.only '{only}'")).map_err(words)?;
        let octets = std::fs::read(self.host.path(&format!("{file}.only"))).map_err(words)?;
        Ok(marks(&octets))
    }

    fn stop(&self) -> Result<(), String> {
        let pid = &self.pid;
        self.host.sh(&format!("kill -INT {pid}")).map_err(words)?;
        self.wait(&format!("! kill -0 {pid} 2>/dev/null"))
    }
}

/// The marks in octets.
fn marks(octets: &[u8]) -> Marks {
    let mut seen = Marks::new();
    for window in octets.windows(MARK.len() + 3).filter(|window| window.starts_with(MARK)) {
        if let [tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'.'] = window[MARK.len()..] {
            *seen.entry((tens - b'0') * 10 + (ones - b'0')).or_default() += 1;
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_in_octets() {
        let text = format!("\0\x01{}{}mark7.mark123.x{}", mark(7), mark(42), mark(7));
        assert_eq!(marks(text.as_bytes()), Marks::from([(7, 2), (42, 1)]));
    }
}
