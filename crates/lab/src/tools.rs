//! Small programs that run inside simulated hosts: Nova's metadata API in short, a TCP talk, and a way in.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use nix::sched::{CloneFlags, setns};
use sha2::Sha256;

/// How often the talker says something.
const TALK_EVERY: Duration = Duration::from_millis(50);
/// The talker gives up after that long without an answer.
const SILENCE_MAX: Duration = Duration::from_millis(1500);

/// Says something on standard output, at once.
pub(crate) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// `lab nova-metadata PORT SECRET`: answers what an instance asks, if the agent's signature is right.
///
/// # Errors
/// The port is taken.
pub fn nova_metadata(port: u16, secret: &str) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    for stream in listener.incoming() {
        if let Err(error) = answer_metadata(stream?, secret) {
            say(&format!("lost: {error}\n"))?;
        }
    }
    Ok(())
}

/// Answers one question for metadata: instance, tenant and signature are written down.
pub(crate) fn answer_metadata(stream: TcpStream, secret: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request)?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim().split_once(": ") {
            Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let header =
        |name: &str| headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let (instance, tenant) = (header("x-instance-id"), header("x-tenant-id"));
    let forwarded = header("x-forwarded-for");
    let right = !instance.is_empty() && header("x-instance-id-signature") == sign(secret, instance);
    let path = request.split(' ').nth(1).unwrap_or_default();
    say(&format!("{path} instance={instance} tenant={tenant} for={forwarded} signature={right}\n"))?;
    let (status, body) = match (right, path) {
        (false, _) => ("403 Forbidden", String::new()),
        (true, "/latest/meta-data/instance-id") => ("200 OK", instance.to_owned()),
        (true, "/latest/meta-data/local-ipv4") => ("200 OK", forwarded.to_owned()),
        (true, _) => ("404 Not Found", String::new()),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.get_mut().write_all(answer.as_bytes())
}

/// HMAC-SHA256 in hexadecimal, as Nova and Neutron agree on.
fn sign(secret: &str, instance: &str) -> String {
    // A key of any length will do for HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(instance.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `lab talk-serve PORT`: says back what it is told.
///
/// # Errors
/// The port is taken.
pub fn talk_serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || -> io::Result<()> {
            let mut out = stream.try_clone()?;
            let mut stream = stream;
            io::copy(&mut stream, &mut out)?;
            Ok(())
        });
    }
    Ok(())
}

/// `lab talk-to ADDRESS:PORT`: talks for ever, a line on standard output for each answer.
///
/// # Errors
/// Nobody answers any more.
pub fn talk_to(address: &str) -> io::Result<()> {
    let address = address.parse().map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, SILENCE_MAX)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_nodelay(true)?;
    loop {
        stream.write_all(b"!")?;
        stream.read_exact(&mut [0])?;
        say("answer\n")?;
        std::thread::sleep(TALK_EVERY);
    }
}

/// `lab relay LISTEN PID CONNECT`: listens where it is started and connects inside the host whose number 1 is PID.
///
/// # Errors
/// The address is taken, or the host is not there.
pub fn relay(listen: &str, pid: u32, connect: &str) -> io::Result<()> {
    let listener = TcpListener::bind(listen)?;
    // A socket stays where it was made: this one outside, those made from here on inside.
    let namespace = std::fs::File::open(format!("/proc/{pid}/ns/net"))?;
    setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
    let ends_with_the_host = nix::unistd::Pid::from_raw(pid.cast_signed());
    std::thread::spawn(move || {
        while nix::sys::signal::kill(ends_with_the_host, None).is_ok() {
            std::thread::sleep(Duration::from_millis(500));
        }
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        let (near, connect) = (stream?, connect.to_owned());
        std::thread::spawn(move || -> io::Result<()> {
            let far = TcpStream::connect(connect)?;
            let (mut near_in, mut far_out) = (near.try_clone()?, far.try_clone()?);
            let up = std::thread::spawn(move || {
                let _peer_gone = io::copy(&mut near_in, &mut far_out);
                let _already_closed = far_out.shutdown(std::net::Shutdown::Write);
            });
            let (mut far_in, mut near_out) = (far, near);
            let _peer_gone = io::copy(&mut far_in, &mut near_out);
            let _already_closed = near_out.shutdown(std::net::Shutdown::Write);
            let _ended = up.join();
            Ok(())
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn signatures_are_those_of_nova() {
        // python3 -c "import hmac; print(hmac.new(b'secret', b'id', 'sha256').hexdigest())"
        assert_eq!(
            super::sign("secret", "id"),
            "0da5b4052abdeb0bbd119978c49479893059d51a19522a70e4672259a6d720b5"
        );
    }
}
