//! What wakes the agent: the switch's database changed, or ovs-vswitchd is back after it ended, with all of its
//! flows lost. Its database says nothing of that.

use std::sync::Arc;
use std::time::Duration;

use ovs::Remote;
use ovs::openflow::Switch;
use ovs::ovsdb::State;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Pause between tries to reach a bridge.
const RETRY: Duration = Duration::from_millis(100);

/// The tasks that watch; they end with it.
#[derive(Debug)]
pub(super) struct Alarm {
    changes: watch::Receiver<()>,
    _watchers: JoinSet<()>,
}

impl Alarm {
    /// Watches the database and one bridge, from within a runtime.
    pub(super) fn set(mut database: watch::Receiver<Arc<State>>, bridge: Remote) -> Alarm {
        let (sender, changes) = watch::channel(());
        let mut watchers = JoinSet::new();
        let again = sender.clone();
        watchers.spawn(async move {
            while database.changed().await.is_ok() {
                again.send_replace(());
            }
        });
        watchers.spawn(async move {
            loop {
                if let Ok(switch) = Switch::connect(&bridge).await {
                    sender.send_replace(());
                    switch.until_closed().await;
                }
                sleep(RETRY).await;
            }
        });
        Alarm { changes, _watchers: watchers }
    }

    /// Changes whenever there is something to look at.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.clone()
    }
}
