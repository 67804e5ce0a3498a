//! Where a service looks for its configuration when nobody names a file, as oslo.config and the packages of
//! distributions have it.

use std::path::{Path, PathBuf};

/// What distributions ship; it lies below everything else.
const DISTRIBUTION_FILE: &str = "/usr/share/neutron/neutron-dist.conf";
/// The folder of the files that are named by their place in it.
const ETC: &str = "/etc/neutron";

/// How many letters a name may lack to be taken for another one: `.ini` and all.
const LETTERS_LOST_MAX: usize = 4;
/// How many letters a name may have too much.
const LETTERS_MORE_MAX: usize = 2;

/// Files and folders to be read, in order: later ones win.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Files that are there.
    pub files: Vec<PathBuf>,
    /// Folders that are there; their `*.conf` are read after the files.
    pub dirs: Vec<PathBuf>,
    /// Every file that would have been read.
    pub looked_for: Vec<PathBuf>,
}

impl Search {
    /// What is there for `program`, which also reads `own` files of `/etc/neutron`, for a user whose home is
    /// `home`.
    pub fn of(
        program: &str,
        own: &[&[&str]],
        home: Option<&Path>,
        is_there: impl Fn(&Path) -> bool,
    ) -> Search {
        let mut search = Search::default();
        let places: Vec<PathBuf> = home
            .into_iter()
            .flat_map(|home| [home.join(".neutron"), home.to_path_buf()])
            .chain([PathBuf::from(ETC), PathBuf::from("/etc")])
            .collect();
        let first = |name: &str| places.iter().map(|place| place.join(name)).find(|path| is_there(path));
        search.file(Path::new(DISTRIBUTION_FILE), &is_there);
        for name in ["neutron.conf".to_string(), format!("{program}.conf")] {
            search.looked_for.push(Path::new(ETC).join(&name));
            search.files.extend(first(&name));
        }
        for names in own {
            let all: Vec<PathBuf> = names.iter().map(|name| Path::new(ETC).join(name)).collect();
            search.files.extend(all.iter().find(|path| is_there(path)).cloned());
            search.looked_for.extend(all);
        }
        let own_dirs = ["common", program].map(|name| Path::new(ETC).join("conf.d").join(name));
        let named = ["neutron.conf.d".to_string(), format!("{program}.conf.d")];
        search.dirs.extend(named.iter().filter_map(|name| first(name)));
        search.dirs.extend(own_dirs.into_iter().filter(|dir| is_there(dir)));
        search
    }

    fn file(&mut self, path: &Path, is_there: impl Fn(&Path) -> bool) {
        self.looked_for.push(path.to_path_buf());
        if is_there(path) {
            self.files.push(path.to_path_buf());
        }
    }

    /// Files whose names are nearly those of files that are missing. `names` are the files of a folder.
    pub fn misnamed(&self, names: impl Fn(&Path) -> Vec<String>) -> Vec<String> {
        let missing = self.looked_for.iter().filter_map(|path| {
            let wanted = path.to_string_lossy();
            let found = near(path, &names)?.display().to_string();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Some(format!(
                "{found}:1: nobody reads a file of this name; call it {name} ('mv {found} {wanted}')"
            ))
        });
        missing.collect()
    }

    /// What a service says that found no file at all.
    pub fn in_vain(&self, program: &str, needs: &str) -> String {
        let looked: Vec<String> = self.looked_for.iter().map(|path| path.display().to_string()).collect();
        let mut said = format!(
            "{program} has no configuration file: none is named by --config-file and none of {} is there\n",
            looked.join(", ")
        );
        for hint in self.misnamed(names_in) {
            said += &format!("{hint}\n");
        }
        said + needs
    }
}

/// The names of a folder's files; none where it cannot be read.
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// A file beside `wanted`, which is missing, that is nearly called so: letters at the end are lost (`.in`) or too many
/// (`.init`), or `_` and `-` are confused. `names` are the files of a folder.
pub fn near(wanted: &Path, names: impl Fn(&Path) -> Vec<String>) -> Option<PathBuf> {
    let (folder, name) = (wanted.parent()?, wanted.file_name()?.to_str()?);
    let all = names(folder);
    if all.iter().any(|other| other == name) {
        return None;
    }
    let plain = |name: &str| name.replace('_', "-");
    let letters = |rest: &str| rest.chars().all(|letter| letter.is_ascii_alphabetic());
    let is_near = |other: &&String| {
        let lost = name.strip_prefix(other.as_str()).is_some_and(|rest| rest.len() <= LETTERS_LOST_MAX);
        let more =
            other.strip_prefix(name).is_some_and(|rest| rest.len() <= LETTERS_MORE_MAX && letters(rest));
        lost || more || plain(other) == plain(name)
    };
    all.iter().find(is_near).map(|other| folder.join(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(there: &[&str]) -> (Vec<String>, Vec<String>) {
        let there: Vec<&Path> = there.iter().map(Path::new).collect();
        let search = Search::of("neutron-l3-agent", &[&["l3_agent.ini"]], Some(Path::new("/root")), |path| {
            there.contains(&path)
        });
        let shown = |paths: Vec<PathBuf>| paths.iter().map(|p| p.display().to_string()).collect();
        (shown(search.files), shown(search.dirs))
    }

    #[test]
    fn files_are_found_in_oslo_configs_order() {
        let all = [
            "/usr/share/neutron/neutron-dist.conf",
            "/root/neutron.conf",
            "/etc/neutron/neutron.conf",
            "/etc/neutron-l3-agent.conf",
            "/etc/neutron/l3_agent.ini",
            "/etc/neutron/neutron.conf.d",
            "/etc/neutron/conf.d/common",
            "/etc/neutron/conf.d/neutron-l3-agent",
        ];
        let (files, dirs) = found(&all);
        // The first neutron.conf that is there counts.
        assert_eq!(files, [all[0], all[1], all[3], all[4]]);
        assert_eq!(dirs, all[5..]);
        assert_eq!(found(&[]), (vec![], vec![]));
    }

    #[test]
    fn what_was_not_found_is_listed() {
        let search = Search::of("neutron-server", &[&["plugin.ini"]], None, |_| false);
        let said = search.in_vain("neutron-server", "write one");
        for path in ["/etc/neutron/neutron.conf", "/etc/neutron/plugin.ini", "write one"] {
            assert!(said.contains(path), "{said}");
        }
    }

    #[test]
    fn of_alternatives_the_first_that_is_there_is_read() {
        let ml2 = Path::new("/etc/neutron/plugins/ml2/ml2_conf.ini");
        let own: &[&[&str]] = &[&["plugin.ini", "plugins/ml2/ml2_conf.ini"]];
        let search = Search::of("neutron-server", own, None, |path| path == ml2);
        assert_eq!(search.files, [ml2]);
        let search =
            Search::of("neutron-server", own, None, |path| path != ml2 && path.ends_with("plugin.ini"));
        assert_eq!(search.files, [Path::new("/etc/neutron/plugin.ini")]);
    }

    #[test]
    fn a_name_that_is_nearly_right_is_noticed() {
        let search = Search::of(
            "neutron-linuxbridge-agent",
            &[&["plugins/ml2/linuxbridge_agent.ini"], &["dhcp_agent.ini"]],
            None,
            |_| false,
        );
        let there = |folder: &Path| match folder.to_str() {
            Some("/etc/neutron/plugins/ml2") => vec!["linuxbridge_agent.in".to_owned()],
            Some("/etc/neutron") => vec!["dhcp_agent.ini.bak".to_owned(), "dhcp_agent.init".to_owned()],
            _ => Vec::new(),
        };
        assert_eq!(
            search.misnamed(there),
            [
                "/etc/neutron/plugins/ml2/linuxbridge_agent.in:1: nobody reads a file of this name; call it \
                 linuxbridge_agent.ini ('mv /etc/neutron/plugins/ml2/linuxbridge_agent.in \
                 /etc/neutron/plugins/ml2/linuxbridge_agent.ini')",
                "/etc/neutron/dhcp_agent.init:1: nobody reads a file of this name; call it dhcp_agent.ini \
                 ('mv /etc/neutron/dhcp_agent.init /etc/neutron/dhcp_agent.ini')"
            ]
        );
        assert!(search.misnamed(|_| Vec::new()).is_empty());
        let beside = |name: &str| near(Path::new("/e/dnsmasq-neutron.conf"), |_| vec![name.to_owned()]);
        assert_eq!(beside("dnsmasq_neutron.conf"), Some("/e/dnsmasq_neutron.conf".into()));
        assert_eq!(
            near(Path::new("/e/ml2_conf.ini"), |_| vec!["ml2_conf".to_owned()]),
            Some("/e/ml2_conf".into())
        );
        for other in ["dnsmasq.conf", "dnsmasq-neutron.conf", "dnsmasq-neutron.conf~"] {
            assert_eq!(beside(other), None, "{other}");
        }
    }
}
