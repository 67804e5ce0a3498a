//! The command against recordings of python-neutronclient 9.0.0: the same requests, output and exit codes.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod golden;
mod keystone;
mod stub;
