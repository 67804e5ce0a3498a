//! Cases: what operators write, what is read, what is said about it.

use super::*;
use expect_test::expect;

crate::options! {
    /// Options of a test.
    pub struct Sample in "DEFAULT" {
        /// Where state lives.
        state_path: String = "/var/lib/neutron".into();
        /// Where DHCP files live.
        dhcp_confs: String = "$state_path/dhcp".into();
        /// Seconds between passes.
        resync_interval: i64 = 5;
        /// Whether to wait.
        wait: bool = true, was [("AGENT", "hold")];
        /// Servers.
        dnsmasq_dns_servers: Vec<String> = Vec::new();
        /// Bridges by physical network.
        mappings: BTreeMap<String, String> = BTreeMap::new();
        /// Providers.
        service_provider: Multi = Multi::default();
        /// Nothing by default.
        extra: Option<String> = None;
    }
}

fn load(text: &str) -> Result<Sample, String> {
    let mut config = Config::parse("neutron.conf", text);
    config.declare(&Sample::declared());
    Sample::load(&config).map_err(|p| p.to_string())
}

#[test]
fn reads_what_operators_write() {
    let read = load(
        "# comment\n[DEFAULT]\nresync_interval: 30 \ndnsmasq_dns_servers = 1.1.1.1, 8.8.8.8\n\
         mappings = physnet1:br-ex,\n  physnet2:br-vlan\nservice_provider = A\nservice_provider = B\n\
         state_path = '/srv'\n[agent]\nhold = No\n",
    )
    .unwrap();
    assert_eq!(
        read,
        Sample {
            state_path: "/srv".into(),
            dhcp_confs: "/srv/dhcp".into(),
            resync_interval: 30,
            wait: false,
            dnsmasq_dns_servers: vec!["1.1.1.1".into(), "8.8.8.8".into()],
            mappings: [("physnet1".to_string(), "br-ex".to_string()), ("physnet2".into(), "br-vlan".into())]
                .into(),
            service_provider: Multi(vec!["A".into(), "B".into()]),
            extra: None,
        }
    );
}

#[test]
fn substitutes_and_refuses() {
    let value = |text: &str| load(text).map(|s| s.extra.unwrap_or_default());
    assert_eq!(
        value("[DEFAULT]\nextra = ${state_path}/x $$5 \\$6 $7\n"),
        Ok("/var/lib/neutron/x $5 $6 $7".into())
    );
    assert_eq!(
        value("[DEFAULT]\nextra = $nothing\n"),
        Err("neutron.conf:2: [DEFAULT] extra: $nothing refers to an option that is neither set nor declared; write $$ for a dollar sign".into())
    );
    assert!(value("[DEFAULT]\nextra = $extra\n").unwrap_err().contains("refers to itself"));
    assert_eq!(
        load("[DEFAULT]\n\nwait = maybe\n").unwrap_err(),
        "neutron.conf:3: [DEFAULT] wait: \"maybe\" is neither true nor false (it takes a boolean value)"
    );
}

#[test]
fn later_files_win() {
    let mut config = Config::parse("a.conf", "[DEFAULT]\nservice_provider = A\nresync_interval = 1\n");
    config.add("b.conf", "[DEFAULT]\nservice_provider = B\n");
    config.declare(&Sample::declared());
    let read = Sample::load(&config).unwrap();
    assert_eq!((read.service_provider.0, read.resync_interval), (vec!["B".to_string()], 1));
    assert_eq!(config.place("DEFAULT", "service_provider"), Some("b.conf:2".into()));
}

#[test]
fn nothing_passes_silently() {
    let text = "stray = 1\n[DEFAULT]\nresync_intervall = 3\nverbose = True\nwait = yes\nwhat\n[AGENT]\nhold = 1\n[agnt]\nx = 1\n";
    let config = Config::parse("neutron.conf", text);
    let idle = [("DEFAULT", "verbose"), ("AGENT", "root_helper")].into();
    let said = config.review(&Sample::declared(), &idle);
    let said: String = said.iter().map(|p| format!("{:?} {p}\n", p.gravity)).collect();
    expect![[r#"
        Error neutron.conf:1: an assignment before the first [section]: stray = 1
        Warning neutron.conf:3: [DEFAULT] resync_intervall: nobody reads an option of this name; did you mean resync_interval?
        Note neutron.conf:4: [DEFAULT] verbose is an option of Neutron that has no effect here
        Error neutron.conf:6: neither a section, an assignment nor a comment: what
        Note neutron.conf:8: [agent] hold is an older name of [DEFAULT] wait; it is read
        Warning neutron.conf:10: [agnt] x: nobody reads a section of this name; did you mean [agent]?
    "#]]
    .assert_eq(&said);
}

#[test]
fn prints_a_sample() {
    let text = sample(&Sample::declared());
    assert!(text.starts_with(
        "[DEFAULT]\n\n# Where state lives.\n# (string value)\n#state_path = /var/lib/neutron\n"
    ));
    assert!(text.contains("# Older name: [AGENT] hold\n#wait = true\n"));
    let mut config = Config::parse("sample", &text.replace("\n#", "\n").replace("\n ", "\n# "));
    config.declare(&Sample::declared());
    assert!(config.problems.iter().all(|p| !p.text.contains("before the first")));
}

#[test]
fn differences_are_those_of_values() {
    let parse = |text: &str| Config::parse("f", text);
    let one = parse("[DEFAULT]\na = 1\nb = 1\n[quotas]\nc = 1\n");
    let other = parse("[DEFAULT]\n\na = 1\nb = 2\nd = 1\n[QUOTAS]\nc = 1\n");
    let pair = |group: &str, name: &str| (group.to_string(), name.to_string());
    assert_eq!(one.differences(&other), [pair("DEFAULT", "b"), pair("DEFAULT", "d")]);
    assert_eq!(one.differences(&one), []);
}

#[test]
fn a_remark_behind_an_address_is_told_from_nonsense() {
    use super::value::Value;
    let read = |text: &str| <std::net::IpAddr as Value>::read(text);
    assert!(read(" 192.0.2.1 ").is_ok() && read("2001:db8::1").is_ok());
    assert_eq!(
        read("192.0.2.1(compute)").unwrap_err(),
        "\"192.0.2.1(compute)\" is not an IP address; write 192.0.2.1 and nothing after it"
    );
    assert_eq!(read("elsewhere").unwrap_err(), "\"elsewhere\" is not an IP address");
}
