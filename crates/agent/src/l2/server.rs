//! What the L2 agent asks and tells the server.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::plugin::ask;
use model::l2::{DevicesDetails, SecurityGroupInfo, UpdatedDevices};
use model::names;
use rpc::{Client, Error, Target};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const PLUGIN: &str = "q-plugin";

/// The server, as one L2 agent sees it.
#[derive(Clone)]
pub struct Server {
    client: Client,
    context: Value,
    agent_id: String,
    host: String,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("agent_id", &self.agent_id)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// A question or message that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It did not come through, or the server refused.
    #[error(transparent)]
    Rpc(#[from] Error),
    /// The answer has another shape than it should.
    #[error("odd answer to {method}: {source}")]
    Odd {
        /// The method called.
        method: &'static str,
        /// What is wrong with the answer.
        source: serde_json::Error,
    },
}

impl Server {
    /// The server behind `client`, for the agent `agent_id` on `host`.
    #[must_use]
    pub fn new(client: Client, agent_id: String, host: String) -> Self {
        let context = Value::Object(oslo::context::Context::admin().to_message());
        Server { client, context, agent_id, host }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        topic: &str,
        method: &'static str,
        version: &str,
        args: Value,
    ) -> Result<T, CallError> {
        let answer = ask(&self.client, &self.context, &Target::topic(topic), method, version, args).await?;
        serde_json::from_value(answer).map_err(|source| CallError::Odd { method, source })
    }

    /// All about these devices; the server takes note that they are being wired. Neutron's own server finds devices
    /// that are named after taps only in the older method, which Linux bridge agents ask.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn details(&self, devices: &[String]) -> Result<DevicesDetails, CallError> {
        let args = json!({"devices": devices, "agent_id": self.agent_id, "host": self.host});
        if devices.iter().any(|device| names::is_tap(device)) {
            let devices = self.ask(PLUGIN, "get_devices_details_list", "1.3", args).await?;
            return Ok(DevicesDetails { devices, failed_devices: Vec::new() });
        }
        self.ask(PLUGIN, "get_devices_details_list_and_failed_devices", "1.5", args).await
    }

    /// What the filters of these devices are made of.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn security(&self, devices: &[String]) -> Result<SecurityGroupInfo, CallError> {
        let args = json!({"devices": devices, "call_version": "1.3"});
        self.ask(PLUGIN, "security_group_info_for_devices", "1.3", args).await
    }

    /// Says which devices now carry traffic and which no longer do. With `refresh_tunnels` the
    /// server sends all forwarding entries again.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn update(
        &self,
        up: &[String],
        down: &[String],
        refresh_tunnels: bool,
    ) -> Result<UpdatedDevices, CallError> {
        let args = json!({
            "devices_up": up, "devices_down": down, "agent_id": self.agent_id, "host": self.host,
            "refresh_tunnels": refresh_tunnels,
        });
        self.ask(PLUGIN, "update_device_list", "1.8", args).await
    }

    /// Says that this host has a tunnel's end at `local_ip`; returns all hosts' ends. The server tells the
    /// other agents of ours.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn tunnel_sync(&self, local_ip: IpAddr, kind: &str) -> Result<BTreeSet<IpAddr>, CallError> {
        let args = json!({"tunnel_ip": local_ip, "tunnel_type": kind, "host": self.host});
        let answer: TunnelEnds = self.ask(PLUGIN, "tunnel_sync", "1.4", args).await?;
        Ok(answer.tunnels.into_iter().map(|end| end.ip_address).collect())
    }
}

/// The answer to `tunnel_sync`.
#[derive(serde::Deserialize)]
struct TunnelEnds {
    tunnels: Vec<TunnelEnd>,
}

#[derive(serde::Deserialize)]
struct TunnelEnd {
    ip_address: IpAddr,
}
