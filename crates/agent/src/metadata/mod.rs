//! The metadata agent and the listeners that lead to it.

mod agent;
pub mod answer;
pub mod listeners;
pub mod lookup;
pub mod options;

pub use agent::run;
