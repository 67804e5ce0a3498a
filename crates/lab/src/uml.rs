//! `lab in-uml -- COMMAND...`: a command on user-mode-linux, Debian's kernel as a program. It has 802.1Q, GRE and Open
//! vSwitch's datapath, but no zones of connection tracking, and nftables for bridges only (iptables is the old one there);
//! it needs no virtual machine and is several times faster than an emulated processor. As in [`crate::guest`] the
//! machine's own files are below a layer in memory. With a tap device of the namespace this runs in, the guest has an
//! `eth0` that is the other end of it.

use std::fs::Permissions;
use std::io::{Error, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::guest::{FILL_ROOT, MEMORY_MIB, cache, in_guest};
use crate::report::words;

/// Debian's package, which is unpacked and not installed.
const PACKAGE: &str = "user-mode-linux";
/// What lets it start on processors that are newer than it.
const REGISTERS: &str = include_str!("uml/registers.c");

/// Makes the root and goes there. The kernel hands over the words of its command line that it does not know as
/// variables: `guest`, the folder that is shared for writing, and `modules`.
const INIT: &str = r#"#!/bin/sh
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
insmod $modules/kernel/fs/overlayfs/overlay.ko
mount -t tmpfs layer /mnt -o size=80%
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay root /mnt/root -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work
cd /mnt/root
mkdir -p below
FILL_ROOT
mount -t hostfs -o $guest share .$guest
pivot_root . below
exec chroot . sh -c '
umount -l /below
ip link set vec0 name eth0 2>/dev/null
for version in iptables ip6tables; do update-alternatives --quiet --set $version /usr/sbin/$version-legacy; done
exec sh $guest/go'
"#;

/// Downloads what is missing; what runs in a namespace without a way out calls this before.
///
/// # Errors
/// Debian's package cannot be had, or there is no C compiler.
pub fn fetch() -> Result<()> {
    Kernel::find().map(drop)
}

/// Runs a command as root in the guest, in this folder; what it prints is printed. Its code to exit with.
///
/// # Errors
/// The guest cannot be started, or ends before the command does.
pub fn run(tap: Option<&str>, command: &[&str]) -> Result<ExitCode> {
    let kernel = Kernel::find()?;
    in_guest(command, |folder| {
        std::fs::write(folder.join("init"), INIT.replace("FILL_ROOT", FILL_ROOT))?;
        std::fs::set_permissions(folder.join("init"), Permissions::from_mode(0o755))?;
        start(&kernel, folder, tap).status().map(drop)
    })
}

/// The program and what belongs to it.
struct Kernel {
    program: PathBuf,
    modules: PathBuf,
    registers: PathBuf,
}

impl Kernel {
    fn find() -> Result<Kernel> {
        let cache = cache();
        std::fs::create_dir_all(&cache)?;
        Kernel::find_in(&cache.canonicalize()?).map_err(Error::other)
    }

    /// Finds it in a folder that is kept: downloads Debian's package once.
    fn find_in(folder: &Path) -> std::result::Result<Kernel, String> {
        let tree = folder.join("uml");
        if !tree.exists() {
            let part = folder.join("uml.part");
            let _ = std::fs::remove_dir_all(&part);
            std::fs::create_dir_all(&part).map_err(words)?;
            let unpack = format!(
                "apt-get download -qq {PACKAGE} && dpkg-deb -x {PACKAGE}_*.deb . && rm {PACKAGE}_*.deb"
            );
            sh(&part, &unpack).or_else(|_| {
                sh(&part, "apt-get -o DPkg::Lock::Timeout=600 update -qq").and_then(|()| sh(&part, &unpack))
            })?;
            std::fs::write(part.join("registers.c"), REGISTERS).map_err(words)?;
            sh(&part, "cc -O1 -shared -fPIC -o registers.so registers.c")?;
            std::fs::rename(&part, &tree).map_err(words)?;
        }
        let modules = std::fs::read_dir(tree.join("usr/lib/uml/modules")).map_err(words)?;
        let modules = modules.flatten().next().ok_or("the package has no modules")?.path();
        Ok(Kernel { program: tree.join("usr/bin/linux.uml"), modules, registers: tree.join("registers.so") })
    }
}

fn sh(folder: &Path, line: &str) -> std::result::Result<(), String> {
    let done = Command::new("sh").args(["-ec", line]).current_dir(folder).output().map_err(words)?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{line}: {}", String::from_utf8_lossy(&done.stderr).trim()))
}

/// Its processes are processes of this machine: they are in a namespace that ends with it.
fn start(kernel: &Kernel, folder: &Path, tap: Option<&str>) -> Command {
    let mut uml = Command::new("setpriv");
    uml.args(["--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "env"])
        .arg(format!("LD_PRELOAD={}", kernel.registers.display()))
        .arg(&kernel.program)
        .arg(format!("mem={MEMORY_MIB}M"))
        .args(["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "loglevel=3"])
        .args(["con=null", "con0=null,fd:1", "ssl=null"])
        .arg(format!("uml_dir={}/", folder.display()))
        .arg(format!("init={}/init", folder.display()))
        .arg(format!("guest={}", folder.display()))
        .arg(format!("modules={}", kernel.modules.display()))
        .args(tap.map(|tap| format!("vec0:transport=tap,ifname={tap},depth=128,gro=0")))
        .stdin(Stdio::null());
    uml
}
