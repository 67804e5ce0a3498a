//! The L3 agent: a namespace for each router it is told to host.

mod agent;
pub mod apply;
pub mod desired;
pub mod external;
pub mod notes;
pub mod options;
pub mod radvd;
pub mod statuses;
pub mod tables;

pub use agent::run;
