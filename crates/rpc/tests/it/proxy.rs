//! A way to the broker that can be cut.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A port that leads to the broker, unless it is cut.
pub struct Proxy {
    port: u16,
    open: Arc<AtomicBool>,
    /// Connections that were let through.
    pub passed: Arc<AtomicUsize>,
    running: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Proxy {
    pub async fn new() -> Proxy {
        let url = super::world::url();
        let broker = url.rsplit('@').next().unwrap().trim_end_matches('/').to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy {
            port: listener.local_addr().unwrap().port(),
            open: Arc::new(AtomicBool::new(true)),
            passed: Arc::default(),
            running: Arc::default(),
        };
        let (open, passed, running) = (proxy.open.clone(), proxy.passed.clone(), proxy.running.clone());
        tokio::spawn(async move {
            while let Ok((mut ours, _)) = listener.accept().await {
                if !open.load(Ordering::SeqCst) {
                    continue;
                }
                passed.fetch_add(1, Ordering::SeqCst);
                let broker = broker.clone();
                running.lock().unwrap().push(tokio::spawn(async move {
                    let Ok(mut theirs) = TcpStream::connect(broker).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs).await;
                }));
            }
        });
        proxy
    }

    /// The broker's URL, through this way.
    pub fn url(&self) -> String {
        let url = super::world::url();
        let (account, _) = url.rsplit_once('@').unwrap();
        format!("{account}@127.0.0.1:{}/", self.port)
    }

    /// Ends every connection and lets none through.
    pub fn cut(&self) {
        self.open.store(false, Ordering::SeqCst);
        for connection in self.running.lock().unwrap().drain(..) {
            connection.abort();
        }
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}
