//! The server against real files: store, pipeline, HTTP.

#[cfg(test)]
mod agents;
#[cfg(test)]
mod store;
#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod world;
