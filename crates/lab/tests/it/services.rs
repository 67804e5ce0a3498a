//! The servers for tests: they answer, and they end with their starter however that ends.

use crate::lab;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The project's folder: what is installed is beside it.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `127.0.0.1:1` of `scheme://user@127.0.0.1:1/path`.
fn address(url: &str) -> SocketAddr {
    let end = url.split("://").last().unwrap().rsplit('@').next().unwrap();
    end.split('/').next().unwrap().parse().unwrap_or_else(|_| panic!("no address in {url}"))
}

#[test]
fn servers_end_with_their_starter_even_when_it_is_killed() {
    let mut starter = Command::new(lab())
        .args(["with-services", "--", "sh", "-c", "env | grep ^LAB_; echo; exec sleep 600"])
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(starter.stdout.take().unwrap());
    let lines: Vec<String> = said.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let addresses: Vec<SocketAddr> = lines
        .iter()
        .filter_map(|line| line.split_once('='))
        .filter(|(_, value)| value.contains("127.0.0.1:"))
        .map(|(_, value)| address(value))
        .collect();
    assert!(addresses.len() >= 4, "{lines:?}");
    for address in &addresses {
        TcpStream::connect(address).unwrap();
    }
    starter.kill().unwrap();
    starter.wait().unwrap();
    let gone = lab::report::within(Duration::from_secs(10), || {
        match addresses.iter().find(|address| TcpStream::connect(*address).is_ok()) {
            Some(address) => Err(format!("{address} still answers")),
            None => Ok(()),
        }
    });
    gone.unwrap();
}
