//! Types the guide: each step as it stands there, or what stands for it here, and what it prints held against what
//! the guide prints.

use std::collections::BTreeMap;
use std::time::Duration;

use super::edits::{self, Edit, Kind};
use super::table::{Table, missing};
use super::transcript::{Act, Guide, Step};
use crate::daemon::Daemon;
use crate::host::Host;
use crate::report::{within, words};
use crate::site::Site;
use crate::users::Users;

/// How long agents may take until all are alive, and what they wire to be there.
const SETTLED_MAX: Duration = Duration::from_secs(30);
/// What stands for a line of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StandIn {
    Type,
    Ping,
    Variables,
    Install,
    Unit,
    Nova,
    Kernel,
    Openvswitch,
    Nothing,
}

impl StandIn {
    fn of_word(word: &str) -> Option<StandIn> {
        Some(match word {
            "type" => StandIn::Type,
            "ping" => StandIn::Ping,
            "variables" => StandIn::Variables,
            "install" => StandIn::Install,
            "unit" => StandIn::Unit,
            "nova" => StandIn::Nova,
            "kernel" => StandIn::Kernel,
            "openvswitch" => StandIn::Openvswitch,
            "nothing" => StandIn::Nothing,
            _ => return None,
        })
    }
}

/// One who types the guide.
pub struct Player<'a> {
    /// Where.
    pub site: &'a Site,
    guide: &'static Guide,
    /// Whose variables were set last: the other tenant's.
    as_demo: bool,
    /// Commands that are no more, and what is typed instead.
    instead: Vec<(String, String)>,
    stand_ins: Vec<(String, StandIn)>,
    volatile: Vec<String>,
    /// Rows of lists that cannot be there.
    absent: Vec<String>,
    /// Identifiers and words of the guide's, and what stands for them in this run.
    known: BTreeMap<String, String>,
    /// What `edit` makes of the guide's files.
    edits: Vec<Edit>,
}

impl<'a> Player<'a> {
    /// One who makes these edits.
    ///
    /// # Errors
    /// The tables beside the guide cannot be read.
    pub fn new(site: &'a Site, guide: &'static Guide, edits: Vec<Edit>) -> Result<Self, String> {
        let stand_ins = guide
            .rows("stand-ins.tsv", 3)?
            .into_iter()
            .map(|row| {
                let kind = StandIn::of_word(&row[1]).ok_or_else(|| format!("no stand-in: {}", row[1]))?;
                Ok((row[0].clone(), kind))
            })
            .collect::<Result<_, String>>()?;
        let volatile = guide.rows("differences.tsv", 2)?.into_iter().map(|row| row[0].clone()).collect();
        let absent = guide.rows("absent.tsv", 2)?.into_iter().map(|row| row[0].clone()).collect();
        let known =
            guide.rows("today.tsv", 2)?.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
        let instead = guide.rows("instead.tsv", 3)?.into_iter();
        let instead = instead.map(|row| (row[0].clone(), row[1].clone())).collect();
        Ok(Self { site, guide, as_demo: false, instead, stand_ins, volatile, absent, known, edits })
    }

    /// Takes a step; what was seen.
    ///
    /// # Errors
    /// It fails, or prints something else than the guide.
    pub fn take(&mut self, step: &Step) -> Result<String, String> {
        match &step.act {
            Act::Sql(statement) => {
                self.site.services.sql(&self.this_run(statement))?;
                Ok("Query OK".to_owned())
            }
            Act::Edit { host, path } => self.write(host, path),
            Act::Typed { host, line } => {
                let line = self.this_run(line);
                if let Some((_, other)) = self.instead.iter().find(|(start, _)| line.starts_with(start)) {
                    let other = other.clone();
                    return self.instead(self.site.host(host), &other, &step.printed);
                }
                self.typed(self.site.host(host), &line, &step.printed)
            }
        }
    }

    /// A text with the identifiers and words of this run in place of the guide's.
    pub fn this_run(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
    }

    fn write(&self, host: &str, path: &str) -> Result<String, String> {
        let mut name = path.to_owned();
        let mut text = self.guide.printed(host, path)?;
        let mut made = 0;
        for edit in self.edits.iter().filter(|edit| edit.host == host) {
            match &edit.kind {
                Kind::Line { printed, mended } if edit.path == name => {
                    text = edits::replaced(&text, printed, &self.this_run(mended))?;
                    made += 1;
                }
                Kind::Name(new) if edit.path == name => {
                    name.clone_from(new);
                    made += 1;
                }
                _ => {}
            }
        }
        let place = self.site.host(host);
        place.write(&name, &text).map_err(words)?;
        // What the guide leaves out of this host is written with the first of its files.
        for edit in self.edits.iter().filter(|edit| edit.host == host && name.contains("linuxbridge_agent")) {
            if let Kind::Copy(from) = &edit.kind {
                place.write(&edit.path, &self.guide.printed(from, &edit.path)?).map_err(words)?;
                made += 1;
            }
        }
        Ok(match made {
            0 => format!("{name}, byte for byte"),
            made => format!("{name}, {made} edits of the table"),
        })
    }

    fn stand_in(&self, line: &str) -> Result<StandIn, String> {
        let fits = self.stand_ins.iter().filter(|(start, _)| line.starts_with(start.as_str()));
        let longest = fits.max_by_key(|(start, _)| start.len());
        longest.map(|(_, kind)| *kind).ok_or_else(|| format!("nothing is known of: {line}"))
    }

    fn typed(&mut self, host: &Host, line: &str, printed: &[String]) -> Result<String, String> {
        let site = self.site;
        match self.stand_in(line)? {
            StandIn::Type => self.shell(host, line, printed),
            StandIn::Ping => self.shell(host, &line.replace("ping ", "ping -c 3 -i 0.2 -W 2 "), &[]),
            StandIn::Variables => {
                self.as_demo = line.contains("demo");
                Ok("its variables are set in what is typed from here on".to_owned())
            }
            StandIn::Install => {
                site.install(host)?;
                Ok(format!("this project's program, on {}", host.name()))
            }
            StandIn::Unit => self.units(host, line),
            StandIn::Nova => nova(site),
            StandIn::Kernel => kernel(host),
            StandIn::Openvswitch => site.restart_switch(host),
            StandIn::Nothing => Ok("nothing: the laboratory plugs instances as Nova does".to_owned()),
        }
    }

    /// `systemctl enable|start|restart UNIT...`, `service UNIT restart`.
    fn units(&self, host: &Host, line: &str) -> Result<String, String> {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let (verb, units) = match words.as_slice() {
            [unit, verb] if line.starts_with("service ") => (*verb, vec![*unit]),
            [verb, units @ ..] => (*verb, units.to_vec()),
            [] => return Err(format!("no unit: {line}")),
        };
        if verb == "enable" {
            return Ok(format!("{} noted", units.join(", ")));
        }
        for unit in &units {
            self.site.start_unit(host, unit)?;
        }
        Ok(format!("{} started", units.join(", ")))
    }

    /// Types what stands for a command that is no more; what it prints has another form, but the same identifiers.
    fn instead(&mut self, host: &Host, line: &str, printed: &[String]) -> Result<String, String> {
        let out = self.site.type_line(host, &self.variables(line), line)?;
        self.learn(printed, &out);
        Ok(format!("{line}\n{out}"))
    }

    /// The variables of whoever types a line.
    fn variables(&self, line: &str) -> Vec<(String, String)> {
        let demo = self.as_demo || self.guide.as_demo.iter().any(|start| line.starts_with(start));
        self.site.openrc(if demo { "demo" } else { "admin" })
    }

    /// From here on the guide's identifier stands for that of this run.
    fn learn(&mut self, printed: &[String], out: &str) {
        if let (Some(theirs), Some(ours)) = (Table::of(&printed.join("\n")), Table::of(out))
            && let (Some(theirs), Some(ours)) = (theirs.value("id"), ours.value("id"))
        {
            self.known.insert(theirs, ours);
        }
    }

    fn shell(&mut self, host: &Host, line: &str, printed: &[String]) -> Result<String, String> {
        let env = self.variables(line);
        // What agents do takes its time after the command before.
        let patient = ["neutron agent-list", "neutron router-port-list", "ip netns"];
        let time = if patient.contains(&line) || line.starts_with("ip netns exec") || line.starts_with("ping")
        {
            SETTLED_MAX
        } else {
            Duration::ZERO
        };
        // Keystone's client has put its fields into another order since.
        let ours = !line.starts_with("openstack ");
        let out = within(time, || {
            let out = self.site.type_line(host, &env, line)?;
            let faults = self.faults(&out, printed, ours);
            if faults.is_empty() { Ok(out) } else { Err(format!("{}\n{out}", faults.join("\n"))) }
        })?;
        self.learn(printed, &out);
        Ok(out)
    }

    /// What of the guide's output is missing in ours.
    fn faults(&self, out: &str, printed: &[String], ordered: bool) -> Vec<String> {
        let theirs = self.this_run(&printed.join("\n"));
        let said = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with(['|', '+']) && !line.trim().is_empty());
            lines.map(|line| plain(line.trim())).collect()
        };
        let ours = said(out);
        let mut faults: Vec<String> = said(&theirs)
            .into_iter()
            .filter(|line| !ours.contains(line))
            .map(|line| format!("the guide prints {line:?}"))
            .collect();
        let Some(mut theirs) = Table::of(&theirs) else { return faults };
        theirs.rows.retain(|row| !row.first().is_some_and(|cell| self.absent.contains(cell)));
        let Some(ours) = Table::of(out) else { return vec!["no table came".to_owned()] };
        let volatile = |name: &str| self.volatile.iter().any(|known| known == name);
        faults.extend(missing(&theirs, &ours, &volatile, ordered));
        if theirs.head != ["Field", "Value"] {
            faults.extend(missing_rows(&theirs, &ours, &volatile));
        }
        faults
    }
}

/// Rows of a list that are not in another, columns that `volatile` names apart.
fn missing_rows(expected: &Table, real: &Table, volatile: &dyn Fn(&str) -> bool) -> Vec<String> {
    let stable: Vec<&String> = expected.head.iter().filter(|name| !volatile(name)).collect();
    let row_of = |table: &Table, row: &[String]| -> Vec<String> {
        let cell =
            |name: &String| table.head.iter().position(|known| known == name).and_then(|at| row.get(at));
        stable.iter().map(|name| cell(name).cloned().unwrap_or_default()).collect()
    };
    let real_rows: Vec<Vec<String>> = real.rows.iter().map(|row| row_of(real, row)).collect();
    let wanted = expected.rows.iter().map(|row| row_of(expected, row));
    wanted
        .filter(|row| !real_rows.contains(row))
        .map(|row| format!("no row has {}", row.join(" | ")))
        .collect()
}

/// A line without what is new in each run: identifiers and the numbers that `ip netns` gives.
fn plain(line: &str) -> String {
    // Later clients end their sentences.
    let line = line.split(" (id: ").next().unwrap_or(line).trim_end_matches('.');
    let identifier = |word: &&str| word.len() == 36 && word.matches('-').count() == 4;
    line.split(' ').map(|word| if identifier(&word) { "ID" } else { word }).collect::<Vec<_>>().join(" ")
}

fn nova(site: &Site) -> Result<String, String> {
    let lab = site.programs.lab.display().to_string();
    let host = &site.controller;
    if host.daemon_runs("nova") {
        host.end_daemon("nova", "KILL").map_err(words)?;
    }
    host.start_daemon(&Daemon::new("nova", &[&lab, "nova", "/etc/nova/nova.conf"])).map_err(words)?;
    Ok("what answers as Nova's APIs do, with the secret of /etc/nova/nova.conf".to_owned())
}

/// The guide's reason for another kernel: VXLAN as Linux bridges need it came with 3.13.
fn kernel(host: &Host) -> Result<String, String> {
    let release = host.run(&["uname", "-r"]).map_err(words)?;
    let mut numbers = release.split(['.', '-']).map_while(|part| part.trim().parse::<u32>().ok());
    let release_number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if release_number >= (3, 13) {
        Ok(format!("not needed: this kernel is {}", release.trim()))
    } else {
        Err(format!("this kernel is {}: VXLAN needs 3.13", release.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_in_each_run_does_not_count() {
        assert_eq!(
            plain("Added interface f8979659-e714-4298-90cb-57d2b156166c to router router"),
            "Added interface ID to router router"
        );
        assert_eq!(plain("qdhcp-x (id: 1)"), "qdhcp-x");
    }

    #[test]
    fn rows_are_found_by_their_stable_cells() {
        let table = |text: &str| Table::of(text).unwrap();
        let guide = table("| id | alive |\n| 1 | :-) |");
        let volatile = |name: &str| name == "id";
        assert!(missing_rows(&guide, &table("| id | zone | alive |\n| 2 | | :-) |"), &volatile).is_empty());
        assert_eq!(
            missing_rows(&guide, &table("| id | alive |\n| 2 | xxx |"), &volatile),
            ["no row has :-)"]
        );
    }
}
