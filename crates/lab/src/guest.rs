//! `lab in-kernel -- COMMAND...`: a command on a kernel that has what this machine's may lack (802.1Q, GRE, Open
//! vSwitch's datapath, zones of connection tracking): Debian's cloud kernel under qemu, with the machine's own files
//! below a layer in memory, so that all can be read and nothing is changed. KVM runs it where the processor can,
//! else qemu's emulation.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use crate::demo::CACHE;
use crate::initramfs::{self, Kernel};
use crate::report::within;
use crate::site::project;

/// Where Debian has the server of files.
const FILES: &str = "/usr/lib/qemu/virtiofsd";
/// What the kernel needs for its root.
const MODULES: [&str; 4] = ["virtio_pci", "virtio_net", "virtiofs", "overlay"];
/// How long the server of files may take to listen.
const FILES_MAX: Duration = Duration::from_secs(20);
/// Memory of the guest, MiB: what the command writes is in it, too.
pub(crate) const MEMORY_MIB: u32 = 2048;

/// Fills the folder that becomes the root with what every command finds there, and makes room for what is shared.
pub(crate) const FILL_ROOT: &str = r#"mkdir -p lib/modules run sys proc dev
ln -s $modules lib/modules/$(uname -r)
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs run run
mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm run/netns
mkdir -p .$guest"#;

/// Mounts the root and goes there; `guest` on the kernel's command line names the folder that is shared for writing.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
while read module; do insmod /modules/$module; done < /modules/order
for word in $(cat /proc/cmdline); do case $word in guest=*) guest=${word#*=};; modules=*) modules=${word#*=};; esac; done
mkdir -p /below /layer /root
mount -t virtiofs files /below
mount -t tmpfs layer /layer -o size=80%
mkdir /layer/upper /layer/work
mount -t overlay root /root -o lowerdir=/below,upperdir=/layer/upper,workdir=/layer/work
cd /root
FILL_ROOT
mount --bind /below$guest .$guest
exec switch_root /root /bin/sh $guest/go
"#;

/// In the guest. Open vSwitch 3.1 makes no handlers for the kernel's datapath in the first ten seconds after a boot.
const GO: &str = r#"export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
ip link set lo up
hostname guest
modprobe -a $KERNEL_MODULES
while [ "$(cut -d. -f1 /proc/uptime)" -lt 12 ]; do sleep 0.2; done
cd "$FOLDER"
sh "$GUEST/command"
echo $? > "$GUEST/outcome"
sync
echo o > /proc/sysrq-trigger
sleep 60
"#;

/// What the command finds loaded.
const LOADED: &str =
    "openvswitch vport-gre vport-vxlan vport-geneve 8021q ip_gre vxlan geneve br_netfilter nf_conntrack";

/// Runs a command as root in the guest, in this folder; what it prints is printed. Its code to exit with.
///
/// # Errors
/// The guest cannot be started, or ends before the command does.
pub fn run(command: &[&str]) -> Result<ExitCode> {
    let kernel = initramfs::kernel(&cache()).map_err(Error::other)?;
    in_guest(command, |folder| {
        let initramfs = initramfs::archive(&kernel, &MODULES, &INIT.replace("FILL_ROOT", FILL_ROOT))
            .map_err(Error::other)?
            .end();
        std::fs::write(folder.join("initramfs"), initramfs)?;
        let mut files = files(folder)?;
        let ended = qemu(&kernel, folder).status();
        // It ends by itself with the guest; it may be slower than we are.
        let _ = files.kill();
        files.wait()?;
        ended.map(drop)
    })
}

/// Where what was downloaded is kept. Tests run in folders of their own.
pub(crate) fn cache() -> PathBuf {
    project().join(CACHE)
}

/// Writes what the guest is to do into a folder that it shares, has it run, and says how the command ended.
pub(crate) fn in_guest(command: &[&str], run: impl FnOnce(&Path) -> Result<()>) -> Result<ExitCode> {
    let folder = cache().canonicalize()?.join(format!("guest-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = tell(&folder, command).and_then(|()| run(&folder)).and_then(|()| outcome(&folder));
    std::fs::remove_dir_all(&folder)?;
    done
}

fn tell(folder: &Path, command: &[&str]) -> Result<()> {
    std::fs::write(folder.join("command"), script(command))?;
    let here = std::env::current_dir()?;
    let known = format!(
        "GUEST={} FOLDER={} KERNEL_MODULES='{LOADED}'\n",
        quoted(&folder.display().to_string()),
        quoted(&here.display().to_string())
    );
    std::fs::write(folder.join("go"), known + GO)
}

fn outcome(folder: &Path) -> Result<ExitCode> {
    let outcome = std::fs::read_to_string(folder.join("outcome"));
    let outcome = outcome.map_err(|_| Error::other("the guest ended before the command did"))?;
    Ok(ExitCode::from(outcome.trim().parse::<u8>().unwrap_or(1)))
}

/// The words as a line of a shell, with the variables of ours that it should know.
fn script(command: &[&str]) -> String {
    let variables = std::env::vars().filter(|(name, _)| name.starts_with("LAB_"));
    let exports = variables.map(|(name, value)| format!("export {name}={}\n", quoted(&value)));
    exports.collect::<String>()
        + &command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
        + "\n"
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Serves the machine's files to the guest.
fn files(folder: &Path) -> Result<Child> {
    let socket = folder.join("files");
    let child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", FILES, "-o", "source=/", "-o", "cache=always", "-o", "sandbox=chroot"])
        .args(["-o", "no_posix_lock"])
        .arg(format!("--socket-path={}", socket.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join("files.log"))?)
        .spawn()?;
    let log = || std::fs::read_to_string(folder.join("files.log")).unwrap_or_default();
    within(FILES_MAX, || if socket.exists() { Ok(()) } else { Err(format!("{FILES}: {}", log())) })
        .map_err(Error::other)?;
    Ok(child)
}

/// How the guest's processor is made. A machine may have /dev/kvm on a processor that cannot run other kernels as they
/// are (a virtual one): there it would take minutes to boot.
fn processor(flags: &str) -> &'static [&'static str] {
    if flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm") {
        &["-accel", "kvm", "-accel", "tcg,thread=multi", "-cpu", "max"]
    } else {
        &["-accel", "tcg,thread=multi", "-cpu", "qemu64"]
    }
}

fn qemu(kernel: &Kernel, folder: &Path) -> Command {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut qemu = Command::new("setpriv");
    let modules: PathBuf = kernel.tree.join("lib/modules").join(&kernel.version);
    qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64", "-M", "pc"])
        .args(processor(&flags))
        .args(["-smp", "2", "-m", &format!("{MEMORY_MIB}M"), "-nodefaults", "-display", "none"])
        .args(["-no-reboot", "-serial", "stdio", "-numa", "node,memdev=memory"])
        .args(["-object", &format!("memory-backend-memfd,id=memory,size={MEMORY_MIB}M,share=on")])
        .args(["-chardev", &format!("socket,id=files,path={}", folder.join("files").display())])
        .args(["-device", "vhost-user-fs-pci,chardev=files,tag=files"])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(folder.join("initramfs"))
        .arg("-append")
        .arg(format!(
            "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off guest={} modules={}",
            folder.display(),
            modules.display()
        ))
        .stdin(Stdio::null());
    qemu
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kvm_is_for_processors_that_have_it() {
        for (flags, accelerator) in [
            ("flags\t\t: fpu vme vmx smx\nflags\t\t: fpu vme vmx smx", "kvm"),
            ("flags : fpu svm", "kvm"),
            ("flags : fpu hypervisor svm_lock novmx", "tcg,thread=multi"),
            ("", "tcg,thread=multi"),
        ] {
            assert_eq!(processor(flags)[1], accelerator, "{flags}");
        }
    }
}
