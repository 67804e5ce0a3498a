//! Where the log goes and how much of it.

use std::path::Path;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// Starts the log of this process: into `file`, or to standard error. The variable `RUST_LOG` overrides the level.
///
/// # Errors
/// When the file cannot be opened.
pub fn start(debug: bool, file: Option<&Path>) -> Result<(), String> {
    let level = if debug { "debug,hyper=info" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    match file {
        None => builder.with_writer(std::io::stderr).init(),
        Some(path) => {
            let open = std::fs::File::options().create(true).append(true).open(path);
            let file = open.map_err(|e| format!("the log file {} cannot be opened: {e}", path.display()))?;
            builder.with_writer(Arc::new(file)).init();
        }
    }
    Ok(())
}
