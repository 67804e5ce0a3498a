//! What a service is told when it is started: oslo.config's arguments, and the configuration they add up to.

use crate::options;
use crate::search::Search;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};
use oslo::config::Config;
use std::ffi::OsString;
use std::path::PathBuf;

/// The arguments of a service.
#[derive(Debug, Clone, Default, Parser)]
#[command(disable_help_subcommand = true)]
pub struct Args {
    /// A configuration file; given several times, later files win.
    #[arg(long = "config-file", value_name = "FILE")]
    pub config_files: Vec<PathBuf>,
    /// A folder whose *.conf files are read in the order of their names. Files and folders are read in the order
    /// in which they are given.
    #[arg(long = "config-dir", value_name = "DIR")]
    pub config_dirs: Vec<PathBuf>,
    /// Log more.
    #[arg(long, short, overrides_with = "nodebug")]
    pub debug: bool,
    /// Log as usual, whatever the files say.
    #[arg(long)]
    pub nodebug: bool,
    /// Older than --debug; it changes nothing.
    #[arg(long, short, alias = "noverbose")]
    pub verbose: bool,
    /// Write the log into this file instead of to standard error.
    #[arg(long, value_name = "FILE", alias = "logfile")]
    pub log_file: Option<PathBuf>,
    /// The folder of the log file, and of one named after the program where none is named.
    #[arg(long, value_name = "DIR", alias = "logdir")]
    pub log_dir: Option<PathBuf>,
    /// The form of dates in the log, as strftime has it.
    #[arg(long, value_name = "FORMAT")]
    pub log_date_format: Option<String>,
    /// A file of Python's logging module; it is not read.
    #[arg(long, value_name = "FILE", aliases = ["log-config", "log_config"])]
    pub log_config_append: Option<PathBuf>,
    /// Look for a log file that was moved away.
    #[arg(long)]
    pub watch_log_file: bool,
    /// Write the log to the system's log.
    #[arg(long, overrides_with = "nouse_syslog")]
    pub use_syslog: bool,
    /// Do not write the log to the system's log.
    #[arg(long)]
    pub nouse_syslog: bool,
    /// The facility of the system's log.
    #[arg(long, value_name = "FACILITY")]
    pub syslog_log_facility: Option<String>,
    /// The folder where the service keeps its state (`state_path`).
    #[arg(long, value_name = "DIR", alias = "state_path")]
    pub state_path: Option<PathBuf>,
    /// Files and folders in the order in which they were given; true for a folder.
    #[arg(skip)]
    sources: Vec<(bool, PathBuf)>,
}

impl Args {
    /// Reads the arguments of `program`; the first is the name it was called by.
    ///
    /// # Errors
    /// What clap says of them, or help and version.
    pub fn of(program: &'static str, args: Vec<OsString>) -> Result<Args, clap::Error> {
        let version = concat!(env!("CARGO_PKG_VERSION"), " of neutron-rs, for Neutron 29.0.0");
        let command = Args::command().name(program).bin_name(program).version(version);
        let matches = command.try_get_matches_from(args)?;
        let mut parsed = Args::from_arg_matches(&matches)?;
        parsed.sources = sources(&matches);
        Ok(parsed)
    }

    /// Reads the configuration: `defaults` (text of a file) below, files, folders, environment, arguments on top;
    /// what `search` found where the arguments name no file, or no folder.
    ///
    /// # Errors
    /// What is wrong, where, and what to do, ready to be printed.
    pub fn config_with(&self, defaults: &str, search: &Search) -> Result<Config, String> {
        let mut config = Config::parse("built-in defaults", defaults);
        let mut read = |files: &[PathBuf], dirs: &[PathBuf]| {
            config.merge(Config::read(files, dirs).map_err(|problem| problem.to_string())?);
            Ok::<_, String>(())
        };
        if self.config_files.is_empty() {
            read(&search.files, &[])?;
        }
        if self.config_dirs.is_empty() {
            read(&[], &search.dirs)?;
        }
        if self.sources.is_empty() {
            read(&self.config_files, &self.config_dirs)?;
        }
        for (is_dir, path) in &self.sources {
            let path = std::slice::from_ref(path);
            if *is_dir { read(&[], path)? } else { read(path, &[])? }
        }
        self.lay_over(&mut config);
        config.declare(&options::declared());
        let wrong = options::unreadable(&config);
        if wrong.is_empty() {
            return Ok(config);
        }
        let said: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        Err(format!("{}\n`neutron config sample` prints every option", said.join("\nerror: ")))
    }

    /// What the environment and the arguments say of single options.
    fn lay_over(&self, config: &mut Config) {
        for option in options::declared() {
            let name = format!("OS_{}__{}", option.group.to_uppercase(), option.name.to_uppercase());
            if let Ok(text) = std::env::var(&name) {
                config.set(&format!("environment variable {name}"), option.group, option.name, &text);
            }
        }
        let path = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string());
        let flag = |on: bool, off: bool| (on || off).then(|| on.to_string());
        for (name, text) in [
            ("debug", flag(self.debug, self.nodebug)),
            ("log_file", path(&self.log_file)),
            ("log_dir", path(&self.log_dir)),
            ("log_date_format", self.log_date_format.clone()),
            ("log_config_append", path(&self.log_config_append)),
            ("watch_log_file", flag(self.watch_log_file, false)),
            ("use_syslog", flag(self.use_syslog, self.nouse_syslog)),
            ("syslog_log_facility", self.syslog_log_facility.clone()),
            ("state_path", path(&self.state_path)),
        ] {
            if let Some(text) = text {
                config.set(&format!("--{}", name.replace('_', "-")), "DEFAULT", name, &text);
            }
        }
    }
}

/// Files and folders in the order in which they were given.
fn sources(matches: &ArgMatches) -> Vec<(bool, PathBuf)> {
    let mut all: Vec<(usize, bool, PathBuf)> = Vec::new();
    for (id, is_dir) in [("config_files", false), ("config_dirs", true)] {
        let (Some(indices), Some(paths)) = (matches.indices_of(id), matches.get_many::<PathBuf>(id)) else {
            continue;
        };
        all.extend(indices.zip(paths).map(|(index, path)| (index, is_dir, path.clone())));
    }
    all.sort();
    all.into_iter().map(|(_, is_dir, path)| (is_dir, path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &str) -> Args {
        Args::of("neutron-server", words.split(' ').map(OsString::from).collect()).unwrap()
    }

    #[test]
    fn files_and_folders_are_read_in_their_order() {
        let given = args("s --config-file a --config-dir d --config-file b");
        let shown: Vec<String> =
            given.sources.iter().map(|(is_dir, path)| format!("{is_dir} {}", path.display())).collect();
        assert_eq!(shown, ["false a", "true d", "false b"]);
    }

    #[test]
    fn later_sources_and_arguments_win() {
        let dir = std::env::temp_dir().join(format!("neutron-args-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("d")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
        write("a", "[DEFAULT]\nbind_port = 1\nbind_host = 127.0.0.1\nlog_dir = /a\n");
        write("d/x.conf", "[DEFAULT]\nbind_port = 2\nbind_host = 127.0.0.2\n");
        write("b", "[DEFAULT]\nbind_port = 3\n");
        let d = dir.display();
        let given =
            args(&format!("s --config-file {d}/a --config-dir {d}/d --config-file {d}/b --log-dir /b -d"));
        let config = given.config_with("[DEFAULT]\nbind_port = 9\n", &Search::default()).unwrap();
        let place = |name: &str| config.place("DEFAULT", name).unwrap();
        assert_eq!(place("bind_port"), format!("{d}/b:2"));
        assert_eq!(place("bind_host"), format!("{d}/d/x.conf:3"));
        assert_eq!(place("log_dir"), "--log-dir:0");
        assert_eq!(place("debug"), "--debug:0");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_arguments_of_old_unit_files_are_taken() {
        args("s --debug --verbose --logfile /l --use-syslog --nouse-syslog --state_path /s --nodebug");
        let unknown = Args::of("neutron-server", vec!["s".into(), "--confg-file".into()]).unwrap_err();
        assert!(unknown.to_string().contains("--config-file"), "{unknown}");
    }
}
