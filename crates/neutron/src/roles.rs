//! What the program can be, and the names it goes by.

use std::ffi::OsStr;
use std::path::Path;

/// What the program can be besides the users' client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Server and agents in one process.
    Standalone,
    /// The API and what answers the agents.
    Server,
    /// The Linux bridge agent.
    LinuxBridgeAgent,
    /// The L3 agent.
    L3Agent,
    /// The DHCP agent.
    DhcpAgent,
    /// The metadata agent.
    MetadataAgent,
    /// `neutron db upgrade head`: the tables.
    Db,
    /// `neutron config sample`, `neutron config check`.
    Config,
}

/// Role, word after `neutron`, names of the program. The list is what the help and the documents show.
pub const ROLES: &[(Role, &str, &[&str], &str)] = &[
    (
        Role::Standalone,
        "standalone",
        &["neutron-standalone"],
        "server and agents in one process, on this machine alone",
    ),
    (Role::Server, "server", &["neutron-server"], "the API and what answers the agents"),
    (Role::LinuxBridgeAgent, "linuxbridge-agent", &["neutron-linuxbridge-agent"], "the Linux bridge agent"),
    (Role::L3Agent, "l3-agent", &["neutron-l3-agent"], "the L3 agent"),
    (Role::DhcpAgent, "dhcp-agent", &["neutron-dhcp-agent"], "the DHCP agent"),
    (Role::MetadataAgent, "metadata-agent", &["neutron-metadata-agent"], "the metadata agent"),
    (Role::Db, "db", &["neutron-db-manage"], "makes the tables (`db upgrade head`), says which there are"),
    (
        Role::Config,
        "config",
        &[],
        "`config sample` prints all options, `config check` reads files and says what is wrong",
    ),
];

impl Role {
    /// The role of a program's name, as services are called: `neutron-l3-agent`.
    pub fn of_program(name: &str) -> Option<Role> {
        ROLES.iter().find(|(_, _, names, _)| names.contains(&name)).map(|(role, ..)| *role)
    }

    /// The role of the word after `neutron`.
    pub fn of_word(word: &str) -> Option<Role> {
        ROLES.iter().find(|(_, w, ..)| *w == word).map(|(role, ..)| *role)
    }
}

/// The last part of a path.
pub fn base_name(path: &OsStr) -> String {
    Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_words_find_their_role() {
        assert_eq!(
            Role::of_program(&base_name(OsStr::new("/usr/bin/neutron-l3-agent"))),
            Some(Role::L3Agent)
        );
        assert_eq!(Role::of_word("standalone"), Some(Role::Standalone));
        assert_eq!((Role::of_program("neutron"), Role::of_word("net-list")), (None, None));
    }
}
