//! THE LIST of the users' commands. Nothing registers itself.

mod address_scope;
mod agent;
mod floatingip;
mod misc;
mod network;
mod port;
mod quota;
mod rbac;
mod router;
mod security_group;
mod subnet;
mod subnetpool;
mod tag;

use crate::command::Command;

static TABLES: [&[Command]; 13] = [
    &address_scope::COMMANDS,
    &agent::COMMANDS,
    &floatingip::COMMANDS,
    &misc::COMMANDS,
    &network::COMMANDS,
    &port::COMMANDS,
    &quota::COMMANDS,
    &rbac::COMMANDS,
    &router::COMMANDS,
    &security_group::COMMANDS,
    &subnet::COMMANDS,
    &subnetpool::COMMANDS,
    &tag::COMMANDS,
];

/// Every command, in no particular order.
pub fn all() -> impl Iterator<Item = &'static Command> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The command of that name, or the only one whose name begins with it.
pub fn find(name: &str) -> Option<&'static Command> {
    if let Some(command) = all().find(|command| command.name == name) {
        return Some(command);
    }
    let mut near = all().filter(|command| command.name.starts_with(name));
    match (near.next(), near.next()) {
        (Some(command), None) => Some(command),
        (Some(_) | None, _) => None,
    }
}
