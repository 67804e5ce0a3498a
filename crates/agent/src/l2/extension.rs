//! How an extension adds to what the L2 agent keeps on the host: rules of its own in chains of
//! its own, keyed by port, computed from the same view. The difference with what is installed
//! is made with everything else, so an extension needs no memory and no clean-up.

use host::iptables::{Families, Ruleset, Table};
use model::l2::DeviceDetails;

use super::view::View;

/// An extension of the L2 agent.
#[derive(Debug, Clone, Copy)]
pub struct Extension {
    /// The name it has in `[agent] extensions`.
    pub name: &'static str,
    /// The chain its rules are in; it is wrapped in the agent's name. At most 11 bytes count.
    pub chain: &'static str,
    /// The table of that chain.
    pub table: Table,
    /// The built-in chain that jumps to it.
    pub hook: &'static str,
    /// The rules of one port, by device name.
    pub rules: fn(&str, &DeviceDetails) -> Vec<String>,
}

/// The extensions that can be loaded by name.
pub const ALL: &[Extension] = &[];

/// Adds what `extensions` want for the ports of `view`.
pub(crate) fn extend(extensions: &[Extension], view: &View, rules: &mut Ruleset) {
    for extension in extensions {
        rules.add_chain(Families::Both, extension.table, extension.chain);
        let jump = format!("-j ${}", extension.chain);
        rules.add_shared_rule(Families::Both, extension.table, extension.hook, &jump, None);
        for (device, port) in &view.ports {
            for rule in (extension.rules)(device, port) {
                rules.add_rule(Families::Both, extension.table, extension.chain, &rule, None);
            }
        }
    }
}
