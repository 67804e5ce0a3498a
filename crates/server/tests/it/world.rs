//! Servers for tests: each on its own copy of one migrated SQLite file, so that a test costs milliseconds.

use crate::mariadb;
use server::app::App;
use server::catalog::Catalog;
use server::db::{Db, Stop, Tx};
use server::extension::Extension;
use server::ml2::{Groups, Ml2};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// A folder that goes away with the test, and the database that does.
pub struct Dir(pub PathBuf, Option<mariadb::Database>);

impl Dir {
    pub fn new() -> Dir {
        let path = std::env::temp_dir().join(format!("neutron-it-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        Dir(path, None)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The migrated file that every test copies.
async fn template() -> &'static [u8] {
    static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let dir = Dir::new();
            let path = dir.0.join("template.sqlite");
            drop(Db::open_sqlite(&path).await.unwrap());
            std::fs::read(path).unwrap()
        })
        .await
}

/// A fresh store.
pub async fn db() -> (Db, Dir) {
    let mut dir = Dir::new();
    if mariadb::wanted() {
        let (db, database) = mariadb::fresh().await;
        dir.1 = Some(database);
        return (db, dir);
    }
    let path = dir.0.join("neutron.sqlite");
    std::fs::write(&path, template().await).unwrap();
    (Db::open_sqlite(&path).await.unwrap(), dir)
}

/// The network types of the server whose answers were recorded.
pub fn ml2() -> Ml2 {
    let list = |text: &str| text.split(',').map(str::to_string).collect::<Vec<_>>();
    let mut groups = Groups::default();
    groups.ml2.project_network_types = list("vxlan");
    groups.ml2.mechanism_drivers = list("linuxbridge,l2population");
    groups.ml2.extension_drivers = list("port_security,dns");
    groups.flat.flat_networks = list("public");
    groups.vlan.network_vlan_ranges = list("public,physnet1:100:199");
    groups.gre.tunnel_id_ranges = list("1:1000");
    groups.vxlan.vni_ranges = list("1:1000");
    groups.geneve.vni_ranges = list("1:1000");
    groups.geneve.max_header_size = 38;
    Ml2::new(groups).unwrap()
}

/// Fills the pools of network ids.
pub async fn sync(tx: &mut Tx, ml2: &Ml2) -> Result<(), Stop> {
    server::ml2::allocation::sync(tx, ml2).await
}

/// A server on a store that is filled already.
pub fn app_on(db: Db, all: &[&'static Extension]) -> Arc<App> {
    let rpc = rpc::Transport::memory().client();
    let (publisher, _) = server::notify::channel();
    Arc::new(App::new(db, Catalog::everything(all).unwrap(), rpc, publisher).with_ml2(ml2()))
}

/// A server with the extensions given.
pub async fn app(all: &[&'static Extension]) -> (Arc<App>, Dir) {
    let (db, dir) = db().await;
    db.write(sync, &ml2()).await.unwrap();
    (app_on(db, all), dir)
}

/// A server that answers over HTTP until it is dropped.
pub struct Served {
    pub address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Serves the extensions given on a fresh store, in a thread of its own.
pub fn serve(all: &'static [&'static Extension]) -> Served {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let (ready, address) = std::sync::mpsc::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (app, _dir) = app(all).await;
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            let stopped = async { drop(stopped.await) };
            server::api::serve_on(app, listener, stopped).await.unwrap();
        });
    };
    let thread = Some(std::thread::spawn(work));
    Served { address: address.recv().unwrap(), stop: Some(stop), thread }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
