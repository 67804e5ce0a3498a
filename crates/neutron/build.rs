//! Says how the program is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let of = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    // The program's own addresses are filled in when it starts. Packed, their list takes 16 KiB and not 1.4 MiB, all
    // of which every process has in memory. The loader of the GNU C library reads it since 2.36.
    if of("OS") == "linux" && of("ENV") == "gnu" && library() >= Some((2, 36)) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's C library, if it is GNU's.
fn library() -> Option<(u32, u32)> {
    let said = std::process::Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
