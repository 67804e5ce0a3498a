//! Every option of every part of the program: the list behind the sample file and the checks.

use oslo::config::{Config, Opt, Problem};
use std::collections::BTreeSet;

oslo::options! {
    /// What every process reads.
    pub struct ProcessOptions in "DEFAULT" {
        /// Log more: what each pass and request does.
        debug: bool = false;
        /// Write the log into this file instead of to standard error.
        log_file: Option<String> = None, was [("DEFAULT", "logfile")];
        /// The folder of `log_file`, and of one named after the program where `log_file` is not set.
        log_dir: Option<String> = None, was [("DEFAULT", "logdir")];
    }
}

/// Names a struct of options once, and asks it for both of its lists.
macro_rules! every {
    ($($options:path),* $(,)?) => {
        /// All options, as declared.
        pub fn declared() -> Vec<Opt> {
            let mut all: Vec<Opt> = Vec::new();
            $(all.extend(<$options>::declared().into_iter().filter(|o| !all.iter().any(|a| (a.group, a.name) == (o.group, o.name))).collect::<Vec<_>>());)*
            all
        }

        /// The values that cannot be read.
        pub fn unreadable(config: &Config) -> Vec<Problem> {
            [$(<$options>::load(config).err()),*].into_iter().flatten().collect()
        }
    };
}

every! {
    ProcessOptions,
    agent::options::NamespaceOptions,
    agent::options::NamespaceAgentOptions,
    agent::l3::options::L3Options,
    agent::dhcp::options::DhcpOptions,
    agent::dhcp::options::DhcpTimes,
    agent::metadata::options::MetadataOptions,
}

/// Options of Neutron, from Juno to 29.0.0, as (section, name). Those that nobody here declares are accepted
/// and have no effect.
pub fn idle() -> BTreeSet<(&'static str, &'static str)> {
    include_str!("idle_options.tsv").lines().filter_map(|line| line.split_once('\t')).collect()
}
