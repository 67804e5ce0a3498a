//! What the cloud's administrator does: looks at agents and at everybody's networks, makes one of a provider, shares one
//! with a project.

use serde_json::Value;

use super::member::{NETWORK, ROUTER};
use super::page::Panel;
use super::visit::{Visit, holds, is};
use crate::report::Report;

/// The administrator's panels of networks.
const PANELS: [Panel; 6] = [NETWORKS, ROUTERS, FLOATING_IPS, POLICIES, DEFAULTS, SYSTEM];
const NETWORKS: Panel = ("admin", "network", "networks");
const ROUTERS: Panel = ("admin", "network", "routers");
const FLOATING_IPS: Panel = ("admin", "network", "floating_ips");
const POLICIES: Panel = ("admin", "network", "rbac_policies");
const DEFAULTS: Panel = ("admin", "admin", "defaults");
const SYSTEM: Panel = ("admin", "admin", "info");

/// The network of a provider's, and its segment.
const TRANSIT: (&str, u32) = ("transit", 777);

impl Visit<'_> {
    /// Looks at everything as the administrator.
    ///
    /// # Errors
    /// A step is not as expected.
    pub fn administer(&self, report: &mut Report, project: &str) -> Result<(), String> {
        self.enter(report, &PANELS)?;
        self.system(report)?;
        self.all_networks(report, project)?;
        self.transit(report, project)?;
        self.share(report)?;
        self.leave(report)
    }

    fn system(&self, report: &mut Report) -> Result<(), String> {
        let tries = "System Information, Network Agents";
        self.step(report, "agents", (tries, "each agent that the API has, enabled and up"), |it| {
            it.page.panel(SYSTEM)?;
            it.page.tab("Network Agents")?;
            let agents = it.api.list("agents", "")?;
            let word = |agent: &Value, key: &str| agent[key].as_str().unwrap_or_default().to_owned();
            let wanted: Vec<String> =
                agents.iter().flat_map(|agent| [word(agent, "binary"), word(agent, "host")]).collect();
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let text = it.table("network_agents", &wanted)?;
            let up = text.matches("Enabled Up").count();
            if up == agents.len() {
                Ok(text)
            } else {
                Err(format!("{up} of {} are up: {text}", agents.len()))
            }
        })?;
        let tries = "Defaults, Network Quotas";
        self.step(report, "quotas", (tries, "quotas of networks, ports and routers"), |it| {
            it.page.panel(DEFAULTS)?;
            it.table("network_quotas", &["Networks", "Ports", "Routers", "Floating IPs", "Security Groups"])
        })
    }

    fn all_networks(&self, report: &mut Report, project: &str) -> Result<(), String> {
        self.step(report, "all-networks", ("Networks", "the project's network, with its project"), |it| {
            it.page.panel(NETWORKS)?;
            let row = it.page.row("networks", NETWORK)?;
            holds(&row, &[project, NETWORK, "Active"])?;
            Ok(row)
        })?;
        let tries = format!("{NETWORK}, DHCP Agents");
        self.step(report, "dhcp-agents", (&tries, "the agents that serve it, as the API has them"), |it| {
            it.page.follow("networks", NETWORK)?;
            it.page.tab("DHCP Agents")?;
            let network = it.api.one("networks", &format!("name={NETWORK}"))?;
            let id = network["id"].as_str().unwrap_or_default();
            let agents = it.api.list_of(&format!("networks/{id}/dhcp-agents"), "agents")?;
            let hosts: Vec<&str> = agents.iter().filter_map(|agent| agent["host"].as_str()).collect();
            if hosts.is_empty() { Err("the API has none".to_owned()) } else { it.table("agents", &hosts) }
        })?;
        self.step(report, "all-routers", ("Routers", "the project's router, with its project"), |it| {
            it.page.panel(ROUTERS)?;
            let row = it.page.row("routers", ROUTER)?;
            holds(&row, &[project, ROUTER])?;
            Ok(row)
        })?;
        self.step(report, "all-floating-ips", ("Floating IPs", "the project's address"), |it| {
            it.page.panel(FLOATING_IPS)?;
            let floating = it.api.one("floatingips", "")?;
            it.table("floating_ips", &[floating["floating_ip_address"].as_str().unwrap_or_default(), project])
        })
    }

    fn transit(&self, report: &mut Report, project: &str) -> Result<(), String> {
        // Of the type that projects get: what else there is differs from cloud to cloud.
        let office = self.api.one("networks", &format!("name={NETWORK}"))?;
        let kind = office["provider:network_type"].as_str().unwrap_or_default().to_owned();
        let (name, segment) = TRANSIT;
        let tries = format!("Networks, Create Network: {name}, {kind} {segment}, shared, without a subnet");
        self.step(report, "transit", (&tries, "its row; the API has it with that segment"), |it| {
            it.page.panel(NETWORKS)?;
            it.page.table_action("networks", "create")?;
            it.page.fill("name", name)?;
            it.page.choose("tenant_id", project)?;
            it.page.choose("network_type", &kind.to_uppercase())?;
            it.page.fill("segmentation_id", &segment.to_string())?;
            it.page.check("shared")?;
            it.page.check("with_subnet")?;
            it.page.submit()?;
            let row = it.page.row("networks", name)?;
            let network = it.api.one("networks", &format!("name={name}"))?;
            is(&network, "provider:network_type", &kind.as_str().into())?;
            is(&network, "provider:segmentation_id", &segment.into())?;
            is(&network, "shared", &true.into())?;
            Ok(row)
        })?;
        let tries = format!("Delete Network: {name}");
        self.step(report, "transit-deleted", (&tries, "no row and nothing in the API"), |it| {
            it.page.row_action("networks", name, "delete")?;
            it.page.confirm()?;
            it.gone(("networks", name), ("networks", &format!("name={name}")))
        })
    }

    fn share(&self, report: &mut Report) -> Result<(), String> {
        let tries = format!("RBAC Policies, Create: {NETWORK} shared with the project service; Delete");
        self.step(report, "shared", (&tries, "in the table and in the API in between"), |it| {
            let network = it.api.one("networks", &format!("name={NETWORK}"))?;
            let query = format!("object_id={}", network["id"].as_str().unwrap_or_default());
            it.page.panel(POLICIES)?;
            // The table's name has a blank in it, its id a hyphen.
            it.page.table_action("rbac policies", "create")?;
            it.page.choose("target_tenant", "service")?;
            it.page.choose("action_object_type", "Shared Network")?;
            it.page.choose("network_id", NETWORK)?;
            it.page.submit()?;
            let policy = it.api.one("rbac_policies", &query)?;
            is(&policy, "action", &"access_as_shared".into())?;
            let text = it.table("rbac-policies", &[NETWORK, "service"])?;
            it.page.row_action("rbac-policies", NETWORK, "delete")?;
            it.page.confirm()?;
            it.gone(("rbac-policies", NETWORK), ("rbac_policies", &query)).map(|_| text)
        })
    }
}
