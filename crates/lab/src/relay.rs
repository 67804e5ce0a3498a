//! A wire into a host that can be cut: what connects to an address inside reaches an address of the machine.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::host::Host;

/// A relay of TCP connections. It lives as long as the process.
pub struct Relay(Arc<Wire>);

struct Wire {
    target: SocketAddr,
    cut: AtomicBool,
    ends: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Listens on `inside` of a host and passes connections on to `target`, an address of the machine.
    ///
    /// # Errors
    /// Nobody can listen there.
    pub fn start(host: &Host, inside: SocketAddr, target: SocketAddr) -> io::Result<Relay> {
        let listener = host.listen(inside)?;
        let wire = Arc::new(Wire { target, cut: AtomicBool::new(false), ends: Mutex::default() });
        let worker = wire.clone();
        std::thread::spawn(move || accept_for_ever(&listener, &worker));
        Ok(Relay(wire))
    }

    /// Ends all connections and refuses new ones.
    pub fn cut(&self) {
        self.0.cut.store(true, Ordering::SeqCst);
        for end in self.0.lock().drain(..) {
            // It may have ended by itself.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.0.cut.store(false, Ordering::SeqCst);
    }
}

impl Wire {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept_for_ever(listener: &TcpListener, wire: &Wire) {
    for near in listener.incoming() {
        let Ok(near) = near else { return };
        if wire.cut.load(Ordering::SeqCst) {
            continue;
        }
        // Who finds nobody behind the relay sees the connection end, as with a server that is gone.
        if let Ok(far) = TcpStream::connect(wire.target) {
            let _ = join(near, far, wire);
        }
    }
}

fn join(near: TcpStream, far: TcpStream, wire: &Wire) -> io::Result<()> {
    let pairs = [(near.try_clone()?, far.try_clone()?), (far.try_clone()?, near.try_clone()?)];
    for (mut from, mut to) in pairs {
        std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        });
    }
    wire.lock().extend([near, far]);
    Ok(())
}
