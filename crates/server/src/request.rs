//! What every step of a request may look at: the application and who asks.

use crate::app::App;
use oslo::context::Context;

/// A request in progress; copies share it.
#[derive(Clone, Copy)]
pub struct Rq<'a> {
    /// The server.
    pub app: &'a App,
    /// Who asks.
    pub ctx: &'a Context,
}
