//! The benchmark: a compiled load generator and the table of figures it prints.

pub mod against;
pub mod api;
pub mod bare;
pub mod http;
pub mod load;
pub mod pair;
pub mod process;
pub mod switch_agent;
pub mod table;
pub mod two_hosts;
pub mod wiring;

use std::io;
use std::path::Path;

/// Runs everything and prints the table; `quick` divides the counts by ten.
///
/// # Errors
/// When the server does not start or refuses what it should do.
pub async fn run(lab: &Path, neutron: &Path, quick: bool) -> io::Result<table::Table> {
    let mut table = table::Table::new(process::machine()?);
    api::measure(neutron, quick, &mut table).await?;
    wiring::measure(lab, &mut table)?;
    Ok(table)
}
