//! The metadata agent and the listeners that lead to it.

pub mod listeners;
