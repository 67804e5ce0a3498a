//! What a demonstration says: each step with what it tries, expects, sees, and its time.

use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, Instant};

/// The steps taken so far.
pub struct Report {
    started: Instant,
    taken: usize,
    failed: Vec<String>,
}

impl Default for Report {
    fn default() -> Report {
        Report { started: Instant::now(), taken: 0, failed: Vec::new() }
    }
}

impl Report {
    /// A heading above steps.
    pub fn section(&mut self, title: &str) {
        say(&format!("\n{title}\n"));
    }

    /// A line of explanation, a command typed.
    pub fn note(&mut self, text: &str) {
        for line in text.lines() {
            say(&format!("     {line}\n"));
        }
    }

    /// Takes one step: `work` returns what it saw, or what was seen instead of what was expected.
    pub fn step(
        &mut self,
        tries: &str,
        expects: &str,
        work: impl FnOnce() -> Result<String, String>,
    ) -> bool {
        self.taken += 1;
        let begin = Instant::now();
        let outcome = work();
        let time = seconds(begin.elapsed());
        let number = self.taken;
        let (mark, saw) = match &outcome {
            Ok(saw) => ("ok    ", saw),
            Err(saw) => ("FAILED", saw),
        };
        say(&format!("{number:3}  {mark} {tries}  ({time})\n            expects  {expects}\n"));
        for (at, line) in saw.trim_end().lines().enumerate() {
            say(&format!("            {}  {line}\n", if at == 0 { "sees   " } else { "       " }));
        }
        if outcome.is_err() {
            self.failed.push(format!("{number} {tries}"));
        }
        outcome.is_ok()
    }

    /// The summary; true when every step was as expected.
    pub fn end(&self) -> bool {
        let time = seconds(self.started.elapsed());
        say(&format!("\n{} steps, {} failed, {time}\n", self.taken, self.failed.len()));
        for step in &self.failed {
            say(&format!("  failed: {step}\n"));
        }
        self.failed.is_empty()
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that went away is no failure of the demonstration.
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// An error as a step's words.
pub fn words(error: impl Display) -> String {
    error.to_string()
}

/// Tries until `probe` succeeds or the time is over; the last failure is returned then.
///
/// # Errors
/// What the last try said.
pub fn within<T>(time: Duration, mut probe: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let begin = Instant::now();
    loop {
        match probe() {
            Ok(done) => return Ok(done),
            Err(why) if begin.elapsed() >= time => {
                return Err(format!("{why} (after {})", seconds(begin.elapsed())));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
