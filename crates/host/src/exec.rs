//! Running the few tools that have no native counterpart here: iptables, ebtables, ipset,
//! conntrack. Always with standard input and a namespace, never through a shell.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::netns::Netns;
use crate::{Error, Result};

/// Characters of a tool's complaint that an error carries.
const COMPLAINT_CHARS_MAX: usize = 2000;

/// Runs `program` inside `ns`, feeds it `input` and returns what it writes to standard output.
///
/// # Errors
/// [`Error::Tool`] when it ends with a failure, [`Error::Io`] when it cannot be started.
pub fn run(ns: &Netns, program: &str, args: &[&str], input: &str) -> Result<String> {
    let (status, out, complaint) = run_any(ns, program, args, input)?;
    if status.success() {
        return Ok(out);
    }
    Err(Error::Tool {
        program: format!("{program} {}", args.join(" ")),
        status: status.to_string(),
        stderr: complaint.trim().chars().take(COMPLAINT_CHARS_MAX).collect(),
    })
}

/// Like [`run`], for tools whose failure is an answer too: status, output, complaint.
///
/// # Errors
/// When the program cannot be started.
pub fn run_any(
    ns: &Netns,
    program: &str,
    args: &[&str],
    input: &str,
) -> Result<(std::process::ExitStatus, String, String)> {
    let what = |e| Error::io(format!("running {program}"), e);
    let spawn = || {
        // A child is born in the namespace of the thread that starts it.
        Command::new(program)
            .args(args)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    };
    let mut child = ns.run(spawn)?.map_err(what)?;
    let (stdin, mut stderr) = (child.stdin.take(), child.stderr.take());
    let mut out = Vec::new();
    // Three pipes at once: a tool may complain at length before it has read everything.
    let complaint = std::thread::scope(|scope| {
        scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(input.as_bytes())));
        let complaint = scope.spawn(move || {
            let mut text = Vec::new();
            stderr.as_mut().map(|pipe| pipe.read_to_end(&mut text));
            text
        });
        let read = child.stdout.take().map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut out));
        read.map(|_| complaint.join().unwrap_or_default())
    });
    let complaint = complaint.map_err(what)?;
    let status = child.wait().map_err(what)?;
    // What iptables-save says of a full host is megabytes: it is not copied.
    let text = |bytes| {
        String::from_utf8(bytes).unwrap_or_else(|odd| String::from_utf8_lossy(odd.as_bytes()).into_owned())
    };
    Ok((status, text(out), text(complaint)))
}
