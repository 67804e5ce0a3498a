//! What wakes an agent: the switch's database changed, or ovs-vswitchd is back after it ended, with all of its
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
pub(crate) struct Alarm {
    changes: watch::Receiver<()>,
    _watchers: JoinSet<()>,
}

impl Alarm {
    /// Watches the database, as far as it `matters`, and one bridge, from within a runtime.
    pub(crate) fn set(
        mut database: watch::Receiver<Arc<State>>,
        bridge: Remote,
        mut matters: impl FnMut(&State) -> bool + Send + 'static,
    ) -> Alarm {
        let (sender, changes) = watch::channel(());
        let mut watchers = JoinSet::new();
        let again = sender.clone();
        watchers.spawn(async move {
            while database.changed().await.is_ok() {
                let state = database.borrow_and_update().clone();
                if matters(&state) {
                    again.send_replace(());
                }
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
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.clone()
    }
}

/// Waits until an alarm is raised; for ever, when there is none. Nothing is lost when it is dropped at its await.
pub(crate) async fn changed(alarm: &mut Option<watch::Receiver<()>>) {
    match alarm {
        Some(state) => match state.changed().await {
            Ok(()) => {}
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
