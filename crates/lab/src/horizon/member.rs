//! What a user of a project does: makes a network, its subnet and a router, connects and changes them, looks at every
//! panel, and takes all away again.

use std::time::Duration;

use serde_json::{Value, json};

use super::browser::By;
use super::page::Panel;
use super::visit::{Visit, holds, is};
use crate::report::{Report, within};

/// The panels of a project's networks.
const PANELS: [Panel; 5] = [TOPOLOGY, NETWORKS, ROUTERS, GROUPS, FLOATING_IPS];
const TOPOLOGY: Panel = ("project", "network", "network_topology");
const NETWORKS: Panel = ("project", "network", "networks");
const ROUTERS: Panel = ("project", "network", "routers");
const GROUPS: Panel = ("project", "network", "security_groups");
const FLOATING_IPS: Panel = ("project", "network", "floating_ips");

/// What is made, and taken away again.
pub const NETWORK: &str = "office";
pub const SUBNET: &str = "office-v4";
const CIDR: &str = "172.30.5.0/24";
/// The subnet's gateway: the router's address there.
const GATEWAY: &str = "172.30.5.1";
pub const ROUTER: &str = "office-router";
const GROUP: &str = "web";
/// What the floating IP is described as, and how that stands in a query.
const DESCRIPTION: (&str, &str) = ("by the dashboard", "by%20the%20dashboard");
/// How long a drawing may take to be there.
const DRAWN_MAX: Duration = Duration::from_secs(30);
/// How long the graph moves until it rests; only the picture wants that.
const RESTS: Duration = Duration::from_secs(3);

impl Visit<'_> {
    /// Makes everything, and looks at it in every panel.
    ///
    /// # Errors
    /// A step is not as expected.
    pub fn build(&self, report: &mut Report) -> Result<(), String> {
        self.enter(report, &PANELS)?;
        self.make(report)?;
        self.connect(report)?;
        self.change(report)?;
        self.look(report)?;
        self.guard(report)?;
        self.float(report)?;
        self.leave(report)
    }

    /// Takes everything away again.
    ///
    /// # Errors
    /// A step is not as expected.
    pub fn clear(&self, report: &mut Report) -> Result<(), String> {
        self.enter(report, &PANELS)?;
        self.remove(report)?;
        self.leave(report)
    }

    fn make(&self, report: &mut Report) -> Result<(), String> {
        let tries = format!("Networks, Create Network: {NETWORK}, subnet {SUBNET} {CIDR}");
        self.step(report, "network", (&tries, "its row; the API has both"), |it| {
            it.page.panel(NETWORKS)?;
            it.page.table_action("networks", "create")?;
            it.page.fill("net_name", NETWORK)?;
            it.page.next()?;
            it.page.fill("subnet_name", SUBNET)?;
            it.page.fill("cidr", CIDR)?;
            it.page.next()?;
            it.page.fill("dns_nameservers", "192.0.2.53")?;
            it.page.submit()?;
            let row = it.page.row("networks", NETWORK)?;
            holds(&row, &[NETWORK, CIDR, "Active", "UP"])?;
            let network = it.api.one("networks", &format!("name={NETWORK}"))?;
            let subnet = it.api.one("subnets", &format!("name={SUBNET}"))?;
            is(&subnet, "network_id", &network["id"])?;
            is(&subnet, "cidr", &CIDR.into())?;
            is(&subnet, "enable_dhcp", &true.into())?;
            is(&subnet, "dns_nameservers", &json!(["192.0.2.53"]))?;
            Ok(row)
        })?;
        let tries = format!("Routers, Create Router: {ROUTER}");
        self.step(report, "router", (&tries, "its row; the API has it, without a gateway"), |it| {
            it.page.panel(ROUTERS)?;
            it.page.table_action("routers", "create")?;
            it.page.fill("name", ROUTER)?;
            it.page.submit()?;
            let row = it.page.row("routers", ROUTER)?;
            holds(&row, &[ROUTER, "Active", "UP"])?;
            is(&it.router()?, "external_gateway_info", &Value::Null)?;
            Ok(row)
        })
    }

    fn router(&self) -> Result<Value, String> {
        self.api.one("routers", &format!("name={ROUTER}"))
    }

    fn connect(&self, report: &mut Report) -> Result<(), String> {
        let external = self.api.list("networks", "router:external=true")?;
        let external = external.first().ok_or("there is no external network")?.clone();
        let name = external["name"].as_str().unwrap_or_default();
        let tries = format!("{ROUTER}, Set Gateway: {name}");
        self.step(report, "gateway", (&tries, "it is in the row, and in the API with an address"), |it| {
            it.page.row_action("routers", ROUTER, "setgateway")?;
            it.page.choose("network_id", name)?;
            it.page.submit()?;
            let row = it.page.row("routers", ROUTER)?;
            holds(&row, &[ROUTER, name])?;
            let gateway = it.router()?["external_gateway_info"].take();
            is(&gateway, "network_id", &external["id"])?;
            let address = gateway["external_fixed_ips"][0]["ip_address"].as_str();
            Ok(format!("{row}\n{name}: {}", address.ok_or("the gateway has no address")?))
        })?;
        let tries = format!("{ROUTER}, Interfaces, Add Interface: {SUBNET}");
        self.step(report, "interface", (&tries, "its address in the table and in the API"), |it| {
            it.page.follow("routers", ROUTER)?;
            it.page.tab("Interfaces")?;
            it.page.table_action("interfaces", "create")?;
            it.page.choose("subnet_id", CIDR)?;
            it.page.submit()?;
            it.page.tab("Interfaces")?;
            let text = it.table("interfaces", &[GATEWAY, "Internal Interface"])?;
            let port = it.interface()?;
            is(&port["fixed_ips"][0], "ip_address", &GATEWAY.into())?;
            Ok(text)
        })
    }

    /// The port between router and network.
    fn interface(&self) -> Result<Value, String> {
        let id = self.router()?["id"].as_str().unwrap_or_default().to_owned();
        self.api.one("ports", &format!("device_id={id}&device_owner=network:router_interface"))
    }

    fn change(&self, report: &mut Report) -> Result<(), String> {
        let (destination, next_hop) = ("198.51.100.0/24", "172.30.5.9");
        let tries = format!("{ROUTER}, Static Routes, Add: {destination} by {next_hop}; Delete Static Route");
        self.step(report, "route", (&tries, "it is in the API in between"), |it| {
            it.page.tab("Static Routes")?;
            it.page.table_action("extra_routes", "create")?;
            it.page.fill("destination", destination)?;
            it.page.fill("nexthop", next_hop)?;
            it.page.submit()?;
            let route = json!([{"destination": destination, "nexthop": next_hop}]);
            is(&it.router()?, "routes", &route)?;
            it.page.tab("Static Routes")?;
            let text = it.table("extra_routes", &[destination, next_hop])?;
            it.page.row_action("extra_routes", destination, "delete")?;
            it.page.confirm()?;
            is(&it.router()?, "routes", &json!([]))?;
            Ok(text)
        })?;
        let tries = format!("{NETWORK}, Subnets, Edit Subnet: another name server, a host route");
        self.step(report, "subnet", (&tries, "both in the API"), |it| {
            it.page.panel(NETWORKS)?;
            it.page.follow("networks", NETWORK)?;
            it.page.tab("Subnets")?;
            it.page.row("subnets", SUBNET)?;
            it.page.row_action("subnets", SUBNET, "update")?;
            it.page.next()?;
            it.page.fill("dns_nameservers", "192.0.2.54")?;
            it.page.fill("host_routes", &format!("{destination},{next_hop}"))?;
            it.page.submit()?;
            let subnet = it.api.one("subnets", &format!("name={SUBNET}"))?;
            is(&subnet, "dns_nameservers", &json!(["192.0.2.54"]))?;
            is(&subnet, "host_routes", &json!([{"destination": destination, "nexthop": next_hop}]))?;
            Ok(format!("{} {}", subnet["dns_nameservers"], subnet["host_routes"]))
        })?;
        self.port(report)
    }

    fn port(&self, report: &mut Report) -> Result<(), String> {
        let (name, address, pair) = ("printer", "172.30.5.77", "172.30.5.78");
        let port = |it: &Self| it.api.one("ports", &format!("name={name}"));
        let tries = format!("{NETWORK}, Ports, Create Port: {name} {address}");
        self.step(report, "port", (&tries, "its row; the API has it, with the group default"), |it| {
            it.page.tab("Ports")?;
            it.page.table_action("ports", "create")?;
            it.page.fill("name", name)?;
            it.page.choose("specify_ip", "Fixed IP Address")?;
            it.page.fill("fixed_ip", address)?;
            it.page.submit()?;
            it.page.tab("Ports")?;
            let row = it.page.row("ports", name)?;
            holds(&row, &[address])?;
            let port = port(it)?;
            is(&port["fixed_ips"][0], "ip_address", &address.into())?;
            let group = it.api.one("security_groups", "name=default")?;
            is(&port, "security_groups", &json!([group["id"]]))?;
            Ok(row)
        })?;
        let tries = format!("{name}, Allowed Address Pairs, Add: {pair}");
        self.step(report, "pair", (&tries, "in the table and in the API"), |it| {
            it.page.follow("ports", name)?;
            it.page.tab("Allowed Address Pairs")?;
            it.page.table_action("allowed_address_pairs", "AddAllowedAddressPair")?;
            it.page.fill("ip", pair)?;
            it.page.submit()?;
            it.page.tab("Allowed Address Pairs")?;
            let text = it.table("allowed_address_pairs", &[pair])?;
            is(&port(it)?["allowed_address_pairs"][0], "ip_address", &pair.into())?;
            Ok(text)
        })?;
        let tries = format!("Delete Port: {name}");
        self.step(report, "port-deleted", (&tries, "no row and nothing in the API"), |it| {
            it.page.panel(NETWORKS)?;
            it.page.follow("networks", NETWORK)?;
            it.page.tab("Ports")?;
            it.page.row("ports", name)?;
            it.page.row_action("ports", name, "delete")?;
            it.page.confirm()?;
            it.page.tab("Ports")?;
            it.gone(("ports", name), ("ports", &format!("name={name}")))
        })
    }

    fn look(&self, report: &mut Report) -> Result<(), String> {
        let tries = "Network Topology, Topology";
        self.step(report, "topology", (tries, "both networks and the router between them"), |it| {
            it.page.panel(TOPOLOGY)?;
            it.page.tab("Topology")?;
            it.page.browser.click(By::Css("label[data-value='normal']"))?;
            // Long names are cut off there.
            it.drawn("#topology_canvas", &[NETWORK, CIDR, GATEWAY, &ROUTER[..8]])
        })?;
        self.step(report, "graph", ("Network Topology, Graph", "the same"), |it| {
            it.page.tab("Graph")?;
            let seen = it.drawn("#topologyCanvasContainer svg", &[NETWORK, ROUTER])?;
            it.page.browser.click(By::Css("#toggle_labels_label"))?;
            std::thread::sleep(RESTS);
            it.page.browser.click(By::Css("#center_topology"))?;
            std::thread::sleep(RESTS);
            Ok(seen)
        })?;
        self.step(
            report,
            "networks",
            ("Networks", "the row, with its subnet and the external network"),
            |it| {
                it.page.panel(NETWORKS)?;
                let row = it.page.row("networks", NETWORK)?;
                holds(&row, &[SUBNET, CIDR, "Active"])?;
                Ok(row)
            },
        )?;
        let tries = format!("{NETWORK}, Subnets and Ports");
        self.step(report, "ports", (&tries, "the subnet, the ports of router and DHCP"), |it| {
            it.page.follow("networks", NETWORK)?;
            it.page.tab("Subnets")?;
            let subnet = it.page.row("subnets", SUBNET)?;
            it.page.tab("Ports")?;
            let ports = it.table("ports", &[GATEWAY, "network:router_interface", "network:dhcp"])?;
            Ok(format!("{subnet}\n{ports}"))
        })?;
        self.step(report, "routers", ("Routers", "the row, Active"), |it| {
            it.page.panel(ROUTERS)?;
            let row = it.page.row("routers", ROUTER)?;
            holds(&row, &["Active"])?;
            Ok(row)
        })
    }

    /// Waits until a drawing shows these words.
    fn drawn(&self, canvas: &str, names: &[&str]) -> Result<String, String> {
        within(DRAWN_MAX, || {
            let body =
                format!("const it = document.querySelector('{canvas}'); return it ? it.textContent : ''");
            let text = self.page.browser.script(&body)?;
            let text = text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
            holds(&text, names).map(|()| names.join(", "))
        })
    }

    fn guard(&self, report: &mut Report) -> Result<(), String> {
        self.step(report, "security-groups", ("Security Groups", "the group default"), |it| {
            it.page.panel(GROUPS)?;
            it.page.row("security_groups", "default")
        })?;
        let tries = format!("Create Security Group: {GROUP}; Add Rule: HTTP");
        self.step(report, "rule", (&tries, "the rule in its table and in the API"), |it| {
            it.page.table_action("security_groups", "create")?;
            it.page.fill("name", GROUP)?;
            it.page.submit()?;
            it.page.browser.seen(By::Css("#rules__action_add_rule"))?;
            it.page.table_action("rules", "add_rule")?;
            it.page.choose("rule_menu", "HTTP")?;
            it.page.submit()?;
            let text = it.table("rules", &["Ingress", "TCP", "80 (HTTP)", "0.0.0.0/0"])?;
            let group = it.api.one("security_groups", &format!("name={GROUP}"))?;
            let id = group["id"].as_str().unwrap_or_default();
            let rule = it.api.one("security_group_rules", &format!("security_group_id={id}&protocol=tcp"))?;
            is(&rule, "port_range_max", &80.into())?;
            Ok(text)
        })
    }

    fn float(&self, report: &mut Report) -> Result<(), String> {
        let tries = "Floating IPs, Allocate IP To Project";
        self.step(report, "floating-ip", (tries, "its row; the API has it"), |it| {
            it.page.panel(FLOATING_IPS)?;
            it.page.table_action("floating_ips", "allocate")?;
            it.page.fill("description", DESCRIPTION.0)?;
            it.page.submit()?;
            let address = it.floating()?;
            it.table("floating_ips", &[&address, DESCRIPTION.0, "Down"])
        })
    }

    /// The address of the floating IP that was allocated.
    fn floating(&self) -> Result<String, String> {
        let floating = self.api.one("floatingips", &format!("description={}", DESCRIPTION.1))?;
        Ok(floating["floating_ip_address"].as_str().unwrap_or_default().to_owned())
    }

    fn remove(&self, report: &mut Report) -> Result<(), String> {
        let gone = "no row and nothing in the API";
        self.step(report, "released", ("Release Floating IP", gone), |it| {
            it.page.panel(FLOATING_IPS)?;
            let address = it.floating()?;
            it.page.row_action("floating_ips", &address, "release")?;
            it.page.confirm()?;
            it.gone(("floating_ips", &address), ("floatingips", &format!("floating_ip_address={address}")))
        })?;
        let tries = format!("Delete Security Group: {GROUP}");
        self.step(report, "group-deleted", (&tries, gone), |it| {
            it.page.panel(GROUPS)?;
            it.page.row_action("security_groups", GROUP, "delete")?;
            it.page.confirm()?;
            it.gone(("security_groups", GROUP), ("security_groups", &format!("name={GROUP}")))
        })?;
        let tries = format!("{ROUTER}, Clear Gateway");
        self.step(report, "cleared", (&tries, "no external network in the row nor in the API"), |it| {
            it.page.panel(ROUTERS)?;
            it.page.row_action("routers", ROUTER, "clear")?;
            it.page.confirm()?;
            is(&it.router()?, "external_gateway_info", &Value::Null)?;
            it.page.row("routers", ROUTER)
        })?;
        let tries = format!("Delete Router: {ROUTER}");
        self.step(report, "router-deleted", (&tries, gone), |it| {
            it.page.row_action("routers", ROUTER, "delete")?;
            it.page.confirm()?;
            it.gone(("routers", ROUTER), ("routers", &format!("name={ROUTER}")))
        })?;
        let tries = format!("Delete Network: {NETWORK}");
        self.step(report, "network-deleted", (&tries, gone), |it| {
            it.page.panel(NETWORKS)?;
            it.page.row_action("networks", NETWORK, "delete")?;
            it.page.confirm()?;
            it.gone(("networks", NETWORK), ("networks", &format!("name={NETWORK}")))?;
            it.gone(("networks", NETWORK), ("subnets", &format!("name={SUBNET}")))
        })?;
        Ok(())
    }
}
