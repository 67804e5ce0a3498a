//! What is wrong with a configuration as a whole, beyond what each option's type says: drivers that nobody knows, a
//! secret that Nova does not share, files that nobody reads.

use crate::roles::Role;
use crate::search::{self, Search};
use oslo::config::{Config, Gravity, Problem};
use std::path::Path;

/// Where Nova keeps its side of what is shared.
const NOVA: &str = "/etc/nova/nova.conf";
/// What every service of a host reads.
const SHARED_FILE: &str = "neutron.conf";
/// The option's name on both sides.
const SECRET: &str = "metadata_proxy_shared_secret";

/// What there is to say about `config`, as far as this machine shows it.
pub fn problems(config: &Config) -> Vec<Problem> {
    // Not every host of Neutron's is one of Nova's.
    let nova = std::fs::read_to_string(NOVA).ok();
    let shared = [secret(config, nova.as_deref()), dnsmasq(config), novas_project(config)];
    agent::l2::firewall_problem(config).into_iter().chain(shared.into_iter().flatten()).collect()
}

/// Writes into the log what a service of this role should be told at its start.
pub fn log(role: Role, config: &Config, search: &Search) {
    for hint in search.misnamed(search::names_in) {
        tracing::warn!("{hint}");
    }
    if let Some(hint) = without_the_shared_file(search) {
        tracing::warn!("{hint}");
    }
    if role.parts().metadata
        && let Some(problem) = secret(config, std::fs::read_to_string(NOVA).ok().as_deref())
    {
        tracing::error!("{problem}");
    }
    let parts = role.parts();
    let dnsmasq = dnsmasq(config).filter(|_| parts.dhcp);
    for problem in dnsmasq.into_iter().chain(novas_project(config).filter(|_| parts.server())) {
        tracing::error!("{problem}");
    }
}

/// A problem with an option's value, at its place.
fn problem_of(config: &Config, name: &str, text: String) -> Option<Problem> {
    let place = config.place("DEFAULT", name)?;
    let (file, line) = place.rsplit_once(':').unwrap_or((place.as_str(), "0"));
    Some(Problem { gravity: Gravity::Error, file: file.to_owned(), line: line.parse().unwrap_or(0), text })
}

/// Whether the file that every dnsmasq is to read is there.
fn dnsmasq(config: &Config) -> Option<Problem> {
    const NAME: &str = "dnsmasq_config_file";
    let named = agent::dhcp::options::DhcpOptions::load(config).ok()?.dnsmasq_config_file;
    let path = Path::new(named.trim());
    if named.trim().is_empty() || path.exists() {
        return None;
    }
    let remedy = match search::near(path, search::names_in) {
        Some(other) => format!("'mv {} {}'", other.display(), path.display()),
        None => "write it, or leave the option out".to_owned(),
    };
    let text = format!(
        "[DEFAULT] {NAME} = {}: there is no such file, so no dnsmasq starts; {remedy}",
        path.display()
    );
    problem_of(config, NAME, text)
}

/// Whether Nova's project, which files of Juno name by its id, is an id at all.
fn novas_project(config: &Config) -> Option<Problem> {
    const NAME: &str = "nova_admin_tenant_id";
    let option = server::assemble::declared().into_iter().find(|option| option.name == NAME)?;
    let id: String = config.get(&option, String::new()).ok()?;
    let digits = id.chars().filter(|letter| *letter != '-');
    if id.is_empty() || digits.clone().all(|letter| letter.is_ascii_hexdigit()) && digits.count() == 32 {
        return None;
    }
    let text = format!(
        "[DEFAULT] {NAME} = {id}: no project has such an id, so Keystone lets nobody speak to Nova; write what \
         'openstack project show service -f value -c id' prints"
    );
    problem_of(config, NAME, text)
}

/// What a service should be told that found files of its own, but not the one that all share.
fn without_the_shared_file(search: &Search) -> Option<String> {
    let shared = |path: &&std::path::PathBuf| path.ends_with(SHARED_FILE);
    let looked_for = search.looked_for.iter().find(shared)?;
    if search.files.iter().any(|path| shared(&path)) {
        return None;
    }
    Some(format!(
        "{} is not there: where RabbitMQ is ([DEFAULT] transport_url) and all else that services share is not known on \
         this host; copy the neutron.conf of the controller",
        looked_for.display()
    ))
}

/// Whether both sides know one secret. `nova` is the text of Nova's file.
fn secret(config: &Config, nova: Option<&str>) -> Option<Problem> {
    config.place("DEFAULT", SECRET)?;
    let ours = agent::metadata::options::MetadataOptions::load(config).ok()?.metadata_proxy_shared_secret;
    let theirs = Config::parse(NOVA, nova?);
    let their_place = theirs.place("neutron", SECRET);
    let option = oslo::config::Opt { group: "neutron", ..secret_option()? };
    if their_place.is_some() && theirs.get(&option, String::new()).ok()? == ours {
        return None;
    }
    let their_place = their_place.unwrap_or_else(|| NOVA.to_owned());
    let mut text = format!(
        "[DEFAULT] {SECRET} is not what [neutron] {SECRET} is at {their_place}: Nova refuses what instances ask for; \
         write the same in both files"
    );
    if ours.contains('(') || !ours.is_ascii() {
        text += " (the value looks as if a remark had got into it)";
    }
    problem_of(config, SECRET, text)
}

fn secret_option() -> Option<oslo::config::Opt> {
    agent::metadata::options::MetadataOptions::declared().into_iter().find(|option| option.name == SECRET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_nova_does_not_share_is_named_with_both_places() {
        let ours = |value: &str| Config::parse("m.ini", &format!("[DEFAULT]\n{SECRET} = {value}\n"));
        let nova = format!("[DEFAULT]\n[neutron] \n{SECRET} = A \n");
        assert!(secret(&ours("A"), Some(&nova)).is_none());
        assert!(secret(&ours("B"), None).is_none());
        assert!(secret(&Config::parse("m.ini", ""), Some(&nova)).is_none());
        let said = secret(&ours("Test(as there)"), Some(&nova)).unwrap().to_string();
        for word in ["m.ini:2: ", "/etc/nova/nova.conf:3", "write the same", "a remark"] {
            assert!(said.contains(word), "{said}");
        }
        let absent = secret(&ours("B"), Some("[neutron]\n")).unwrap().to_string();
        assert!(absent.contains("at /etc/nova/nova.conf:"), "{absent}");
    }

    #[test]
    fn a_file_for_dnsmasq_that_is_not_there_is_named() {
        let folder = std::env::temp_dir().join(format!("neutron-review-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let wanted = folder.join("dnsmasq-neutron.conf");
        let config = Config::parse(
            "d.ini",
            &format!("[DEFAULT]\nstate_path = /s\ndnsmasq_config_file = {}\n", wanted.display()),
        );
        let said = || dnsmasq(&config).map(|problem| problem.to_string());
        assert!(said().unwrap().ends_with("write it, or leave the option out"));
        std::fs::write(folder.join("dnsmasq_neutron.conf"), "").unwrap();
        let complaint = said().unwrap();
        assert!(complaint.starts_with("d.ini:3: ") && complaint.contains("'mv "), "{complaint}");
        std::fs::write(&wanted, "").unwrap();
        assert_eq!(said(), None);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(dnsmasq(&Config::parse("d.ini", "")), None);
    }

    #[test]
    fn a_word_in_place_of_novas_project_is_named() {
        let said = |id: &str| {
            novas_project(&Config::parse("n.conf", &format!("[DEFAULT]\nnova_admin_tenant_id = {id}\n")))
        };
        assert!(said("SERVICE_TENANT_ID").unwrap().to_string().starts_with("n.conf:2: "));
        assert_eq!(said("08a675be93a04cca8a74159a3eefa288"), None);
    }

    #[test]
    fn a_host_without_the_shared_file_is_told_so() {
        let search = |there: &'static [&str]| {
            Search::of("neutron-l3-agent", &[&["l3_agent.ini"]], None, move |path| {
                there.iter().any(|known| path == Path::new(known))
            })
        };
        assert!(without_the_shared_file(&search(&["/etc/neutron/neutron.conf"])).is_none());
        assert!(without_the_shared_file(&Search::default()).is_none(), "files were named by arguments");
        let said = without_the_shared_file(&search(&["/etc/neutron/l3_agent.ini"])).unwrap();
        assert!(said.starts_with("/etc/neutron/neutron.conf is not there"), "{said}");
    }
}
