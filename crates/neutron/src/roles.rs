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
    /// The API alone; what answers the agents is a process of its own.
    Api,
    /// What answers the agents, without the API.
    RpcServer,
    /// What is looked after regularly, without API and agents: agents that are gone.
    PeriodicWorkers,
    /// The Linux bridge agent.
    LinuxBridgeAgent,
    /// The Open vSwitch agent.
    OpenvswitchAgent,
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
    (
        Role::Server,
        "server",
        &["neutron-server"],
        "the API, what answers the agents, and what is done regularly",
    ),
    (Role::Api, "api", &["neutron-api"], "the API alone"),
    (Role::RpcServer, "rpc-server", &["neutron-rpc-server"], "what answers the agents, without the API"),
    (
        Role::PeriodicWorkers,
        "periodic-workers",
        &["neutron-periodic-workers"],
        "what is done regularly about agents that are gone",
    ),
    (Role::LinuxBridgeAgent, "linuxbridge-agent", &["neutron-linuxbridge-agent"], "the Linux bridge agent"),
    (
        Role::OpenvswitchAgent,
        "openvswitch-agent",
        &["neutron-openvswitch-agent", "neutron-plugin-openvswitch-agent"],
        "the Open vSwitch agent",
    ),
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

/// What runs in a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    /// The REST API.
    pub api: bool,
    /// What answers agents.
    pub rpc: bool,
    /// What is done regularly.
    pub periodic: bool,
    /// The Linux bridge agent.
    pub l2: bool,
    /// The Open vSwitch agent.
    pub ovs: bool,
    /// The L3 agent.
    pub l3: bool,
    /// The DHCP agent.
    pub dhcp: bool,
    /// The metadata agent.
    pub metadata: bool,
}

impl Parts {
    /// Nothing yet.
    const NONE: Parts = Parts {
        api: false,
        rpc: false,
        periodic: false,
        l2: false,
        ovs: false,
        l3: false,
        dhcp: false,
        metadata: false,
    };
    /// A whole server.
    const SERVER: Parts = Parts { api: true, rpc: true, periodic: true, ..Parts::NONE };

    /// Whether anything of it works on the database.
    pub fn server(self) -> bool {
        self.api || self.rpc || self.periodic
    }
}

impl Role {
    /// What runs in a process of this role; nothing for commands.
    pub fn parts(self) -> Parts {
        match self {
            Role::Standalone => Parts { l2: true, l3: true, dhcp: true, metadata: true, ..Parts::SERVER },
            Role::Server => Parts::SERVER,
            Role::Api => Parts { api: true, ..Parts::NONE },
            Role::RpcServer => Parts { rpc: true, ..Parts::NONE },
            Role::PeriodicWorkers => Parts { periodic: true, ..Parts::NONE },
            Role::LinuxBridgeAgent => Parts { l2: true, ..Parts::NONE },
            Role::OpenvswitchAgent => Parts { ovs: true, ..Parts::NONE },
            Role::L3Agent => Parts { l3: true, ..Parts::NONE },
            Role::DhcpAgent => Parts { dhcp: true, ..Parts::NONE },
            Role::MetadataAgent => Parts { metadata: true, ..Parts::NONE },
            Role::Db | Role::Config => Parts::NONE,
        }
    }

    /// The name the service goes by: in logs, and where its files are looked for.
    pub fn program(self) -> &'static str {
        let names = ROLES.iter().find(|(role, ..)| *role == self).map_or(&[][..], |(_, _, names, _)| names);
        names.first().copied().unwrap_or("neutron")
    }

    /// The files that the service reads besides `neutron.conf`, in the folder of that; of alternatives the first
    /// that is there. Ubuntu's packages have no `plugin.ini`, and those of Juno and Kilo no `openvswitch_agent.ini`.
    pub fn own_files(self) -> &'static [&'static [&'static str]] {
        match self {
            Role::Server | Role::Api | Role::RpcServer | Role::PeriodicWorkers | Role::Db => {
                &[&["plugin.ini", "plugins/ml2/ml2_conf.ini"]]
            }
            Role::LinuxBridgeAgent => &[&["plugins/ml2/linuxbridge_agent.ini"]],
            Role::OpenvswitchAgent => &[&["plugins/ml2/openvswitch_agent.ini", "plugins/ml2/ml2_conf.ini"]],
            Role::L3Agent => &[&["l3_agent.ini"]],
            Role::DhcpAgent => &[&["dhcp_agent.ini"]],
            Role::MetadataAgent => &[&["metadata_agent.ini"]],
            Role::Standalone | Role::Config => &[],
        }
    }

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
