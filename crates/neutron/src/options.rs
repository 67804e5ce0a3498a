//! Every option of every part of the program: the list behind the sample file and the checks.

use agent::l2::config as l2;
use oslo::config::{Config, Opt, Problem};
use std::collections::BTreeSet;

oslo::options! {
    /// What every process reads.
    pub struct ProcessOptions in "DEFAULT" {
        /// Seconds that requests under way may take when the process is asked to end; 0 = as long as they need.
        graceful_shutdown_timeout: u64 = 60;
    }
}

/// Names a struct of options once, and asks it for both of its lists.
macro_rules! every {
    ($($options:path),* $(,)?) => {
        /// All options, as declared. An option that two parts read stands here once.
        pub fn declared() -> Vec<Opt> {
            let mut all: Vec<Opt> = server::assemble::declared();
            for option in [$(<$options>::declared()),*].concat() {
                if !all.iter().any(|a| (a.group, a.name) == (option.group, option.name)) {
                    all.push(option);
                }
            }
            all
        }

        /// The values that cannot be read.
        pub fn unreadable(config: &Config) -> Vec<Problem> {
            let own = [$(<$options>::load(config).err()),*].into_iter().flatten();
            server::assemble::unreadable(config).into_iter().chain(own).collect()
        }
    };
}

every! {
    ProcessOptions,
    crate::metrics::MetricsOptions,
    oslo::log::LogOptions,
    rpc::options::MessagingOptions,
    rpc::options::RabbitOptions,
    agent::options::NamespaceOptions,
    agent::options::NamespaceAgentOptions,
    agent::l3::options::L3Options,
    agent::dhcp::options::DhcpOptions,
    agent::dhcp::options::DhcpTimes,
    agent::metadata::options::MetadataOptions,
    l2::LinuxBridgeOptions,
    l2::VxlanOptions,
    l2::AgentOptions,
    l2::SecurityGroupOptions,
    l2::ServiceOptions,
    agent::l2::openvswitch::config::OvsOptions,
    agent::l2::openvswitch::config::OvsAgentOptions,
}

/// Options of Neutron, from Juno to 29.0.0, as (section, name), that nobody here declares: accepted, without effect.
pub fn idle() -> BTreeSet<(&'static str, &'static str)> {
    include_str!("idle_options.tsv").lines().filter_map(|line| line.split_once('\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_with_an_effect_is_not_called_idle() {
        let idle = idle();
        let names = |opt: &Opt| [&[(opt.group, opt.name)], opt.was].concat();
        let both: Vec<_> = declared().iter().flat_map(names).filter(|name| idle.contains(name)).collect();
        assert!(both.is_empty(), "take these out of idle_options.tsv: {both:?}");
    }
}
