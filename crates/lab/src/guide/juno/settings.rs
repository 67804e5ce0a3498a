//! What an operator changes in the guide's files on several hosts, and starts anew.

use serde_json::Value;

use crate::host::Host;
use crate::report::words;
use crate::site::Site;
use crate::users::Users;

/// The guide's Open vSwitch agent.
pub const L2: &str = "neutron-plugin-openvswitch-agent";
/// The file of ML2 and of the agents.
pub const FILE: &str = "/etc/neutron/plugins/ml2/ml2_conf.ini";

/// The hosts with an Open vSwitch agent.
pub fn wired(site: &Site) -> Vec<&Host> {
    site.machines().into_iter().filter(|host| host.name() != "controller").collect()
}

/// Sets an option that stands in the file of ML2 already.
///
/// # Errors
/// It does not stand there.
pub fn set(host: &Host, option: &str, value: &str) -> Result<(), String> {
    let line =
        format!("grep -q '^{option} *=' {FILE} && sed -i 's|^{option} *=.*|{option} = {value}|' {FILE}");
    host.sh(&line).map(|_| ()).map_err(|_| format!("{}: {FILE} says nothing of {option}", host.name()))
}

/// Adds options to a section of that file.
///
/// # Errors
/// There is no such section.
pub fn add(host: &Host, section: &str, options: &str) -> Result<(), String> {
    let line =
        format!("grep -qxF '[{section}]' {FILE} && sed -i 's/^\\[{section}\\]$/&\\n{options}/' {FILE}");
    host.sh(&line).map(|_| ()).map_err(|_| format!("{}: {FILE} has no [{section}]", host.name()))
}

/// Starts a service anew.
///
/// # Errors
/// It does not end or start.
pub fn anew(site: &Site, host: &Host, unit: &str) -> Result<(), String> {
    host.end_daemon(unit, "TERM").map_err(words)?;
    site.start_unit(host, unit)
}

/// Starts the server anew and waits for its answer.
///
/// # Errors
/// None comes.
pub fn server_anew(site: &Site) -> Result<String, String> {
    anew(site, &site.controller, "neutron-server")?;
    let answers = || site.neutron(&["ext-list", "-f", "value", "-c", "alias"]);
    crate::report::within(crate::guide::instances::WIRED_MAX, answers)?;
    Ok("the server answers".to_owned())
}

/// What the Open vSwitch agents report, if each reports a value of an option.
///
/// # Errors
/// One reports another.
pub fn all_report(site: &Site, option: &str, wanted: &Value) -> Result<String, String> {
    let list = site.neutron(&["agent-list", "-f", "json", "-c", "id", "-c", "host", "-c", "agent_type"])?;
    let list: Value = serde_json::from_str(&list).map_err(|error| format!("{error}: {list}"))?;
    let mut said = Vec::new();
    let ours = |agent: &&Value| agent["agent_type"] == "Open vSwitch agent";
    for agent in list.as_array().into_iter().flatten().filter(ours) {
        let shown = site.object(&["agent-show", agent["id"].as_str().unwrap_or_default()])?;
        let configurations = match &shown["configurations"] {
            Value::String(text) => serde_json::from_str(text).map_err(words)?,
            other => other.clone(),
        };
        let line =
            format!("{}: {option} = {}", agent["host"].as_str().unwrap_or_default(), configurations[option]);
        if configurations[option] != *wanted {
            return Err(line);
        }
        said.push(line);
    }
    if said.is_empty() { Err("no agent reports".to_owned()) } else { Ok(said.join("\n")) }
}
