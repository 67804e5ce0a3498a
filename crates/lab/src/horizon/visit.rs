//! What a user does in the dashboard, step by step; after each the network service is asked as well.

use serde_json::Value;

use super::api::{Api, Request};
use super::browser::By;
use super::page::{Dashboard, Panel};
use super::serve;
use crate::report::Report;
use crate::site::Site;

/// The panels of a project's networks.
const TOPOLOGY: Panel = ("project", "network", "network_topology");
const NETWORKS: Panel = ("project", "network", "networks");
const ROUTERS: Panel = ("project", "network", "routers");
const GROUPS: Panel = ("project", "network", "security_groups");
const FLOATING_IPS: Panel = ("project", "network", "floating_ips");

/// What is made, and taken away again.
const NETWORK: &str = "office";
const SUBNET: &str = "office-v4";
const CIDR: &str = "172.30.5.0/24";
const ROUTER: &str = "office-router";
const GROUP: &str = "web";

/// Who logs in.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
    /// The project.
    pub project: &'a str,
}

/// A user at the dashboard.
pub struct Visit<'a> {
    site: &'a Site,
    page: &'a Dashboard<'a>,
    api: Api<'a>,
}

impl<'a> Visit<'a> {
    /// The user's own view of the network service beside the dashboard.
    ///
    /// # Errors
    /// Keystone refuses.
    pub fn new(site: &'a Site, page: &'a Dashboard<'a>, who: Person<'_>) -> Result<Self, String> {
        Ok(Self { site, page, api: Api::new(site, who.user, who.password, who.project)? })
    }

    /// Takes a step, keeps a picture, and looks for complaints: on the page and in the service's log.
    fn step(
        &self,
        report: &mut Report,
        picture: &str,
        (tries, expects): (&str, &str),
        work: impl FnOnce(&Self) -> Result<String, String>,
    ) -> Result<(), String> {
        let done = report.step(tries, expects, || {
            let said = work(self);
            let messages = self.page.messages().unwrap_or_default();
            let file = self.page.picture(picture)?;
            let requests = self.api.requests()?;
            let count = requests.len();
            let mut complaints = complaints(&messages, &requests);
            let console = self.page.browser.console()?.into_iter().filter(|(level, _)| level == "SEVERE");
            complaints.extend(console.map(|(_, words)| format!("the browser says: {words}")));
            match said {
                Ok(said) if complaints.is_empty() => {
                    Ok(format!("{said}\n{file}; {count} requests to the network service, none refused"))
                }
                Ok(said) => Err(format!("{said}\n{}\n{file}", complaints.join("\n"))),
                Err(why) => Err(format!("{why}\n{}\n{file}", complaints.join("\n"))),
            }
        });
        if done { Ok(()) } else { Err(format!("{tries}\n{}", serve::log(self.site, 40))) }
    }

    /// Everything a project's user does, from the first page to the last.
    ///
    /// # Errors
    /// A step is not as expected.
    pub fn project(&self, report: &mut Report, who: Person<'_>) -> Result<(), String> {
        self.enter(report, who)?;
        self.make(report)?;
        self.connect(report)?;
        self.look(report)?;
        self.guard(report)?;
        self.float(report)?;
        self.remove(report)
    }

    fn enter(&self, report: &mut Report, who: Person<'_>) -> Result<(), String> {
        let tries = format!("open {} and log in as {}", serve::URL, who.user);
        self.step(report, "login", (&tries, "the project's panels of networks, none of Nova's"), |it| {
            it.page.log_in(who.user, who.password)?;
            let panels = it.page.panels()?;
            let has = |(dashboard, _, panel): &Panel| {
                panels.iter().any(|link| link.ends_with(&format!("/{dashboard}/{panel}/")))
            };
            let missing: Vec<_> = [TOPOLOGY, NETWORKS, ROUTERS, GROUPS, FLOATING_IPS]
                .into_iter()
                .filter(|panel| !has(panel))
                .collect();
            let instances = panels.iter().any(|link| link.ends_with("/instances/"));
            if missing.is_empty() && !instances {
                Ok(panels.join(" "))
            } else {
                Err(format!("missing {missing:?} in {panels:?}"))
            }
        })
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
            is(&subnet, "dns_nameservers", &serde_json::json!(["192.0.2.53"]))?;
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
        self.step(report, "interface", (&tries, "172.30.5.1 in the table and in the API"), |it| {
            it.page.follow("routers", ROUTER)?;
            it.page.tab("Interfaces")?;
            it.page.table_action("interfaces", "create")?;
            it.page.choose("subnet_id", CIDR)?;
            it.page.submit()?;
            it.page.tab("Interfaces")?;
            let table = it.page.browser.seen(By::Css("table#interfaces"))?;
            let text = it.page.browser.text(&table)?;
            holds(&text, &["172.30.5.1", "Internal Interface"])?;
            let port = it.interface()?;
            is(&port["fixed_ips"][0], "ip_address", &"172.30.5.1".into())?;
            Ok(text)
        })
    }

    /// The port between router and network.
    fn interface(&self) -> Result<Value, String> {
        let id = self.router()?["id"].as_str().unwrap_or_default().to_owned();
        self.api.one("ports", &format!("device_id={id}&device_owner=network:router_interface"))
    }

    fn look(&self, report: &mut Report) -> Result<(), String> {
        let tries = "Network Topology, Topology and Graph";
        self.step(report, "topology", (tries, "both networks and the router between them"), |it| {
            it.page.panel(TOPOLOGY)?;
            it.page.tab("Topology")?;
            it.page.browser.click(By::Css("label[data-value='normal']"))?;
            let names = [NETWORK, CIDR, "office-r"];
            it.drawn("#topology_canvas", &names)
        })?;
        self.step(report, "graph", ("Network Topology, Graph", "the same"), |it| {
            it.page.tab("Graph")?;
            it.drawn("#topologyCanvasContainer svg", &[NETWORK, ROUTER])
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
            let table = it.page.browser.seen(By::Css("table#ports"))?;
            let ports = it.page.browser.text(&table)?;
            holds(&ports, &["172.30.5.1", "network:router_interface"])?;
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
        crate::report::within(std::time::Duration::from_secs(30), || {
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
            let table = it.page.browser.seen(By::Css("table#rules"))?;
            let text = it.page.browser.text(&table)?;
            holds(&text, &["Ingress", "TCP", "80 (HTTP)", "0.0.0.0/0"])?;
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
            it.page.fill("description", "by the dashboard")?;
            it.page.submit()?;
            let floating =
                it.api.one("floatingips", "description=by the dashboard".replace(' ', "%20").as_str())?;
            let address = floating["floating_ip_address"].as_str().unwrap_or_default();
            let table = it.page.browser.seen(By::Css("table#floating_ips"))?;
            let text = it.page.browser.text(&table)?;
            holds(&text, &[address, "by the dashboard", "Down"])?;
            Ok(text)
        })
    }

    fn remove(&self, report: &mut Report) -> Result<(), String> {
        let gone = "no row and nothing in the API";
        self.step(report, "released", ("Release Floating IP", gone), |it| {
            let floating = it.api.one("floatingips", "description=by%20the%20dashboard")?;
            let address = floating["floating_ip_address"].as_str().unwrap_or_default();
            it.page.row_action("floating_ips", address, "release")?;
            it.page.confirm()?;
            it.gone(("floating_ips", address), ("floatingips", &format!("floating_ip_address={address}")))
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
        self.step(report, "signed-out", ("Sign Out", "the page that asks for a name"), |it| {
            it.page.sign_out().map(|()| it.page.browser.url().unwrap_or_default())
        })
    }

    /// Neither the table nor the API has it any more.
    fn gone(&self, (table, row): (&str, &str), (collection, query): (&str, &str)) -> Result<String, String> {
        let left = self.api.list(collection, query)?;
        if !left.is_empty() {
            return Err(format!("the API still has {left:?}"));
        }
        if self.page.has_row(table, row)? {
            return Err(format!("the table still has {row}"));
        }
        let said = self.page.messages()?;
        Ok(said.into_iter().map(|(_, words)| words).collect::<Vec<_>>().join("\n"))
    }
}

/// What the page or the service's log hold against the network service.
fn complaints(messages: &[(String, String)], requests: &[Request]) -> Vec<String> {
    let said = messages.iter().filter(|(kind, _)| kind == "danger" || kind == "warning");
    let said = said.map(|(kind, words)| format!("the page says ({kind}): {words}"));
    let refused = requests.iter().filter(|request| request.status >= 400);
    said.chain(refused.map(|request| format!("answered {}: {}", request.status, request.line))).collect()
}

fn holds(text: &str, wanted: &[&str]) -> Result<(), String> {
    let missing: Vec<&&str> = wanted.iter().filter(|word| !text.contains(**word)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("missing {missing:?} in: {text}")) }
}

fn is(object: &Value, key: &str, wanted: &Value) -> Result<(), String> {
    if &object[key] == wanted { Ok(()) } else { Err(format!("{key} is not {wanted}: {object}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_errors_on_the_page_and_refusals_in_the_log() {
        let messages =
            [("success", "made"), ("danger", "not made")].map(|(k, w)| (k.to_owned(), w.to_owned()));
        let request = |line: &str, status| Request { line: line.to_owned(), status };
        let requests = [request("GET /v2.0/networks", 200), request("GET /v2.0/x", 404)];
        assert_eq!(
            complaints(&messages, &requests),
            ["the page says (danger): not made", "answered 404: GET /v2.0/x"]
        );
        assert!(complaints(&messages[..1], &requests[..1]).is_empty());
    }
}
