//! Another program at the broker, played by hand: sees and sends messages as they are. The server's tests use it, too.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use serde_json::{Value, json};
use std::time::Duration;

/// The broker that `make test` starts.
pub fn url() -> String {
    std::env::var("LAB_RABBITMQ_URL")
        .expect("LAB_RABBITMQ_URL is not set: run this test by `make test`, which starts a broker")
}

/// Waits for what will come; a test that waits for ever says so instead.
pub async fn patient<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it did not happen within a minute")
}

/// A connection of another client; to its URL the default virtual host must be spelt out.
pub async fn connection() -> Connection {
    let url = format!("{}/%2f", url().trim_end_matches('/'));
    Connection::connect(&url, ConnectionProperties::default()).await.unwrap()
}

/// A connection with one queue that is consumed.
pub struct Raw {
    _connection: Connection,
    pub channel: Channel,
    consumer: Consumer,
}

impl Raw {
    /// Consumes a topic as oslo.messaging declares it.
    pub async fn server(exchange: &str, topic: &str) -> Raw {
        Raw::declared(exchange, ExchangeKind::Topic, ExchangeDeclareOptions::default(), topic, false).await
    }

    /// Consumes a queue bound to an exchange by its own name.
    pub async fn declared(
        exchange: &str,
        kind: ExchangeKind,
        options: ExchangeDeclareOptions,
        queue: &str,
        auto_delete: bool,
    ) -> Raw {
        let connection = connection().await;
        let channel = connection.create_channel().await.unwrap();
        let none = FieldTable::default;
        channel.exchange_declare(exchange.into(), kind, options, none()).await.unwrap();
        let declare = QueueDeclareOptions { auto_delete, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.into(), declare, none()).await.unwrap();
        let bind = QueueBindOptions::default();
        channel.queue_bind(queue.into(), exchange.into(), queue.into(), bind, none()).await.unwrap();
        let consume = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(queue.into(), "raw".into(), consume, none()).await.unwrap();
        Raw { _connection: connection, channel, consumer }
    }

    /// The next message: as it was delivered, and what is in its envelope.
    pub async fn take(&mut self) -> (Delivery, Value) {
        let delivery = patient(self.consumer.next()).await.unwrap().unwrap();
        let envelope: Value = serde_json::from_slice(&delivery.data).unwrap();
        assert_eq!(envelope["oslo.version"], "2.0");
        (delivery, serde_json::from_str(envelope["oslo.message"].as_str().unwrap()).unwrap())
    }

    /// Publishes a message in its envelope.
    pub async fn send(&self, exchange: &str, key: &str, message: &Value) {
        let body = json!({"oslo.version": "2.0", "oslo.message": message.to_string()}).to_string();
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_content_encoding("utf-8".into());
        let options = BasicPublishOptions::default();
        let sent =
            self.channel.basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties);
        sent.await.unwrap().await.unwrap();
    }
}
