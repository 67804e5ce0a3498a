//! Named namespaces: made, listed, entered, deleted.

use host::netns::{self, Netns};

#[test]
fn a_name_comes_and_goes() {
    let name = format!("ntest-{}", std::process::id());
    assert!(!netns::exists(&name));
    let ns = Netns::ensure(&name).unwrap();
    assert!(netns::list().unwrap().contains(&name));
    let again = Netns::ensure(&name).unwrap();
    let links = host::netlink::Netlink::open(&again).unwrap().links().unwrap();
    assert_eq!(links.iter().map(|l| (l.name.as_str(), l.up)).collect::<Vec<_>>(), [("lo", true)]);
    assert!(netns::create(&name).unwrap_err().is_there());

    netns::delete(&name).unwrap();
    assert!(Netns::open(&name).unwrap_err().is_gone());
    assert!(!netns::list().unwrap().contains(&name));
    netns::delete(&name).unwrap();
    // The namespace itself lives on for those who hold it.
    assert_eq!(host::netlink::Netlink::open(&ns).unwrap().links().unwrap().len(), 1);
}

#[test]
fn names_cannot_leave_the_directory() {
    for name in ["", ".", "..", "a/b", "../x"] {
        assert!(Netns::open(name).is_err(), "{name}");
        assert!(netns::create(name).is_err(), "{name}");
        assert!(netns::delete(name).is_err(), "{name}");
    }
}

#[test]
fn sysctls_belong_to_the_namespace() {
    use host::sysctl::{self, Setting};
    let ns = Netns::anonymous().unwrap();
    let wanted = [Setting::new("net/ipv4/ip_forward", 1), Setting::new("net/ipv6/conf/lo/disable_ipv6", 1)];
    assert_eq!(sysctl::set(&ns, &wanted).unwrap(), wanted);
    assert_eq!(sysctl::set(&ns, &wanted).unwrap(), [], "what is right is left alone");
    assert_eq!(sysctl::get(&ns, "net/ipv4/ip_forward").unwrap(), "1");
    assert!(sysctl::get(&ns, "net/ipv4/no_such_key").unwrap_err().is_gone());
    assert!(sysctl::get(&ns, "../etc/passwd").is_err());
}
