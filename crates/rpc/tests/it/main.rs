//! The transport over a real RabbitMQ: what arrives, what other programs see of it, what survives which outage.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it goes wrong")]

mod messages;
mod others;
mod outage;
mod proxy;
mod python;
mod raw;
mod tls;
mod world;
