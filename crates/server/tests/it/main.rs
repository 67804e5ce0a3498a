//! The server against real files: store, pipeline, HTTP.

mod store;
mod world;
