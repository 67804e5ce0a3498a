//! The benchmark: a compiled load generator and the table of figures it prints.

pub mod http;
pub mod load;
