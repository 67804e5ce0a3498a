//! Where a service looks for its configuration when nobody names a file, as oslo.config and the packages of
//! distributions have it.

use std::path::{Path, PathBuf};

/// What distributions ship; it lies below everything else.
const DISTRIBUTION_FILE: &str = "/usr/share/neutron/neutron-dist.conf";
/// The folder of the files that are named by their place in it.
const ETC: &str = "/etc/neutron";

/// How many letters a name may lack to be taken for another one.
const LETTERS_LOST_MAX: usize = 2;

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
    pub fn of(program: &str, own: &[&str], home: Option<&Path>, is_there: impl Fn(&Path) -> bool) -> Search {
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
        for name in own {
            search.file(&Path::new(ETC).join(name), &is_there);
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

    /// Files whose names are those of files that are missing but for letters at the end (`.in` for `.ini`).
    pub fn misnamed(&self, is_there: impl Fn(&Path) -> bool) -> Vec<String> {
        let missing = self.looked_for.iter().filter(|path| !is_there(path));
        let near = |path: &PathBuf| {
            let wanted = path.to_string_lossy().into_owned();
            let cut =
                (1..=LETTERS_LOST_MAX).filter_map(|lost| wanted.get(..wanted.len().saturating_sub(lost)));
            let found = cut.map(PathBuf::from).find(|name| is_there(name))?;
            Some(format!(
                "{}:1: nobody reads a file of this name; call it {} ('mv {} {wanted}')",
                found.display(),
                path.file_name().unwrap_or_default().to_string_lossy(),
                found.display()
            ))
        };
        missing.filter_map(near).collect()
    }

    /// What a service says that found no file at all.
    pub fn in_vain(&self, program: &str, needs: &str) -> String {
        let looked: Vec<String> = self.looked_for.iter().map(|path| path.display().to_string()).collect();
        let mut said = format!(
            "{program} has no configuration file: none is named by --config-file and none of {} is there\n",
            looked.join(", ")
        );
        for hint in self.misnamed(Path::exists) {
            said += &format!("{hint}\n");
        }
        said + needs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(there: &[&str]) -> (Vec<String>, Vec<String>) {
        let there: Vec<&Path> = there.iter().map(Path::new).collect();
        let search = Search::of("neutron-l3-agent", &["l3_agent.ini"], Some(Path::new("/root")), |path| {
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
        let search = Search::of("neutron-server", &["plugin.ini"], None, |_| false);
        let said = search.in_vain("neutron-server", "write one");
        for path in ["/etc/neutron/neutron.conf", "/etc/neutron/plugin.ini", "write one"] {
            assert!(said.contains(path), "{said}");
        }
    }

    #[test]
    fn a_name_that_lacks_a_letter_is_noticed() {
        let search =
            Search::of("neutron-linuxbridge-agent", &["plugins/ml2/linuxbridge_agent.ini"], None, |_| false);
        let there = Path::new("/etc/neutron/plugins/ml2/linuxbridge_agent.in");
        let said = search.misnamed(|path| path == there);
        assert_eq!(
            said,
            ["/etc/neutron/plugins/ml2/linuxbridge_agent.in:1: nobody reads a file of this name; call it \
              linuxbridge_agent.ini ('mv /etc/neutron/plugins/ml2/linuxbridge_agent.in \
              /etc/neutron/plugins/ml2/linuxbridge_agent.ini')"]
        );
        assert!(search.misnamed(|_| false).is_empty());
    }
}
