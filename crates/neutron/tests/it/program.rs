//! The program as its users start it.

use std::path::Path;
use std::process::{Command, Output};

fn neutron(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_neutron")).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `make sample` writes it anew.
#[test]
fn the_sample_file_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = std::fs::read_to_string(root.join("etc/neutron.conf.sample")).unwrap();
    let printed = text(&neutron(&["config", "sample"]).stdout);
    assert!(
        file == printed,
        "etc/neutron.conf.sample is not what `neutron config sample` prints: run `make sample`"
    );
}

/// What is printed can be read back, and nothing in it is unknown.
#[test]
fn the_sample_file_is_a_configuration() {
    let file = std::env::temp_dir().join(format!("neutron-sample-{}.conf", std::process::id()));
    let sample = text(&neutron(&["config", "sample"]).stdout);
    let set: Vec<&str> = sample
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(option)
                if !option.starts_with(' ') && !option.ends_with("<None>") && !option.ends_with("= ") =>
            {
                option
            }
            Some(_) => "",
            None => line,
        })
        .collect();
    std::fs::write(&file, set.join("\n")).unwrap();
    let checked = neutron(&["config", "check", &file.display().to_string()]);
    std::fs::remove_file(&file).unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stdout));
}

#[test]
fn a_slip_is_named_with_its_place() {
    let file = std::env::temp_dir().join(format!("neutron-slip-{}.conf", std::process::id()));
    std::fs::write(&file, "[DEFAULT]\nbind_prot = 9696\n[ml2]\ntype_drivers = flat\n").unwrap();
    let name = file.display().to_string();
    let checked = neutron(&["config", "check", &name]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(
        text(&checked.stdout),
        format!(
            "warning: {name}:2: [DEFAULT] bind_prot: nobody reads an option of this name; did you mean bind_port?\n"
        )
    );
    assert_eq!(checked.status.code(), Some(1));
}

/// Refusals to start say what is wrong, where, and what to do.
#[test]
fn what_cannot_run_says_why() {
    let dir = std::env::temp_dir().join(format!("neutron-refused-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let cases = [
        (
            "[DEFAULT]\nauth_strategy = keystone\ntransport_url = fake:/\n",
            "neutron.conf:2: [DEFAULT] auth_strategy = keystone: ",
        ),
        (
            "[DEFAULT]\nauth_strategy = noauth\nbind_host = 0.0.0.0\ntransport_url = fake:/\n",
            "neutron.conf:3: [DEFAULT] bind_host = 0.0.0.0: ",
        ),
        (
            "[DEFAULT]\nbind_port = many\n",
            "neutron.conf:2: [DEFAULT] bind_port: \"many\" is not a whole number",
        ),
        (
            "[DEFAULT]\nauth_strategy = noauth\nbind_host = 127.0.0.1\ntransport_url = fake:/\n[database]\n\
             connection = postgresql://x/y\n",
            "neutron.conf:6: [database] connection: ",
        ),
        (
            "[DEFAULT]\nauth_strategy = noauth\nbind_host = 127.0.0.1\n",
            "[DEFAULT] transport_url: it is missing",
        ),
    ];
    for (content, said) in cases {
        let file = dir.join("neutron.conf");
        std::fs::write(&file, content).unwrap();
        let refused = neutron(&["server", "--config-file", &file.display().to_string()]);
        let err = text(&refused.stderr);
        assert!(err.contains(said), "{content}\n{err}");
        assert_eq!(refused.status.code(), Some(1));
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn the_database_command_makes_and_names_the_tables() {
    let dir = std::env::temp_dir().join(format!("neutron-db-manage-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("neutron.conf");
    std::fs::write(&file, format!("[database]\nconnection = sqlite:///{}/n.sqlite\n", dir.display()))
        .unwrap();
    let run = |words: &[&str]| {
        let done = neutron(&[&["db", "--config-file", &file.display().to_string()], words].concat());
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    assert_eq!(run(&["current"]), "Running current for neutron ...\nOK\n");
    let made = run(&["upgrade", "liberty"]);
    assert!(made.contains("5c85685d616d") && made.contains("not those of liberty"), "{made}");
    assert_eq!(run(&["upgrade", "head"]), "Running upgrade for neutron ...\nOK\n");
    let current = "Running current for neutron ...\n5c85685d616d (head)\nc7f8d9e0f1a2 (head)\nOK\n";
    assert_eq!(run(&["current"]), current);
    assert_eq!(run(&["has_offline_migrations"]), "No offline migrations pending.\n");
    assert!(run(&["check_migration"]).ends_with("\nOK\n"));
    assert_eq!(run(&["history"]).lines().count(), 135);
    std::fs::remove_dir_all(&dir).unwrap();
}
