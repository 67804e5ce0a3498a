//! A real virtual machine: Debian's cloud kernel under qemu's software emulation, with an initramfs of busybox that
//! takes a lease, asks for its metadata and serves a page. It needs no acceleration and boots in seconds.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cloud::Cloud;
use crate::host::Host;
use crate::instance::Plug;
use crate::report::{within, words};

/// What the kernel needs to see its card.
const MODULES: [&str; 2] = ["virtio_pci", "virtio_net"];
/// How long a machine may take to say it is ready.
const READY_MAX: Duration = Duration::from_secs(180);

const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
export PATH=/bin
while read module; do insmod /modules/$module; done < /modules/order
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -s /lease -n -q -t 15 -T 1 -O mtu -O staticroutes 2>/dev/null
ask='GET /latest/meta-data/instance-id HTTP/1.0\r\nHost: 169.254.169.254\r\n\r\n'
echo "METADATA $(printf "$ask" | nc -w 5 169.254.169.254 80 2>&1 | tail -n 1)"
( while :; do printf 'HTTP/1.0 200 OK\r\n\r\nhello from a virtual machine\n' | nc -l -p 80 >/dev/null; done ) &
echo "READY after $(cut -d' ' -f1 /proc/uptime) s"
while :; do sleep 1000; done
"#;

const LEASE: &str = r#"#!/bin/busybox sh
[ "$1" = bound ] || exit 0
ip addr flush dev $interface
ip addr add $ip/$mask dev $interface
[ -z "$mtu" ] || ip link set $interface mtu $mtu
[ -z "$router" ] || ip route replace default via ${router%% *}
set -- $staticroutes
while [ $# -ge 2 ]; do ip route replace $1 via $2; shift 2; done
echo "LEASE $ip mtu $mtu router $router"
"#;

/// What a machine is booted from.
#[derive(Clone, Debug)]
pub struct Image {
    kernel: PathBuf,
    initramfs: PathBuf,
}

/// Finds or makes the image in a folder that is kept (`.lab`): downloads Debian's kernel package once.
///
/// # Errors
/// The package cannot be had, or a program is missing.
pub fn image(folder: &Path) -> Result<Image, String> {
    std::fs::create_dir_all(folder).map_err(words)?;
    let folder = folder.canonicalize().map_err(words)?;
    let tree = folder.join("kernel");
    if !tree.join("boot").exists() {
        download(&folder, &tree)?;
    }
    let kernel = first(&tree.join("boot"), "vmlinuz-")?;
    let version = kernel.file_name().unwrap_or_default().to_string_lossy().replace("vmlinuz-", "");
    let initramfs = folder.join("initramfs.cpio");
    std::fs::write(&initramfs, initramfs_of(&tree, &version)?).map_err(words)?;
    Ok(Image { kernel, initramfs })
}

fn sh(folder: &Path, line: &str) -> Result<String, String> {
    let done = Command::new("sh").args(["-ec", line]).current_dir(folder).output().map_err(words)?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!("{line}: {}", String::from_utf8_lossy(&done.stderr).trim()))
}

fn download(folder: &Path, tree: &Path) -> Result<(), String> {
    let name = "apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \\(linux-image\\)/\\1/p' | head -n 1";
    let mut package = sh(folder, name)?;
    if package.trim().is_empty() {
        sh(folder, "apt-get -o DPkg::Lock::Timeout=600 update -qq")?;
        package = sh(folder, name)?;
    }
    let package = package.trim();
    let unpacked = folder.join("kernel.part");
    sh(
        folder,
        &format!(
            "rm -rf kernel.part *.deb; apt-get download -qq {package}; dpkg-deb -x {package}_*.deb kernel.part; rm -f *.deb"
        ),
    )?;
    let version = package.trim_start_matches("linux-image-");
    sh(folder, &format!("depmod -b kernel.part {version}"))?;
    std::fs::rename(unpacked, tree).map_err(words)
}

fn first(folder: &Path, prefix: &str) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(words)?;
    let mut found = entries.flatten().map(|entry| entry.path());
    found
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
        .ok_or_else(|| format!("there is no {prefix} in {}", folder.display()))
}

fn initramfs_of(tree: &Path, version: &str) -> Result<Vec<u8>, String> {
    let wanted =
        format!("for m in {}; do modprobe -d . -S {version} --show-depends $m; done", MODULES.join(" "));
    let listed = sh(tree, &wanted)?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in listed.lines().filter_map(|line| line.strip_prefix("insmod ")) {
        let path = tree.join(path.split(' ').next().unwrap_or_default().trim_start_matches("./"));
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "modules", "proc", "sys", "tmp", "etc"] {
        archive.folder(folder);
    }
    let mut order = String::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = if name.ends_with(".xz") {
            Command::new("xz").arg("-dc").arg(&path).output().map_err(words)?.stdout
        } else {
            std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?
        };
        let name = name.trim_end_matches(".xz");
        archive.file(&format!("modules/{name}"), &bytes, 0o644);
        order.push_str(name);
        order.push('\n');
    }
    archive.file("modules/order", order.as_bytes(), 0o644);
    let busybox =
        std::fs::read("/bin/busybox").map_err(|error| format!("/bin/busybox (busybox-static): {error}"))?;
    archive.file("bin/busybox", &busybox, 0o755);
    archive.file("init", INIT.as_bytes(), 0o755);
    archive.file("lease", LEASE.as_bytes(), 0o755);
    Ok(archive.end())
}

/// A cpio archive in the form the kernel reads (`newc`).
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let fields =
            [self.entries, mode, 0, 0, 1, 0, size(content.len()), 0, 0, 0, 0, size(name.len() + 1), 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }

    fn folder(&mut self, name: &str) {
        self.entry(name, 0o040_755, &[]);
    }

    fn file(&mut self, name: &str, content: &[u8], mode: u32) {
        self.entry(name, 0o100_000 | mode, content);
    }

    fn end(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

/// Sizes in the archive have 32 bits; ours are far smaller.
fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A machine that runs on the controller.
pub struct Machine {
    /// Its port.
    pub plug: Plug,
    console: PathBuf,
}

impl Machine {
    /// Makes a port, plugs a tap in as Nova does, and starts the machine.
    ///
    /// # Errors
    /// Neutron refuses, or the machine cannot be started.
    pub fn boot(cloud: &Cloud, image: &Image, network: &str, name: &str) -> Result<Self, String> {
        Self::start(&cloud.controller, Plug::create(cloud, network, name, &[])?, image, name)
    }

    /// Starts the machine on a host, with a tap for its port.
    ///
    /// # Errors
    /// The tap or the machine cannot be made.
    pub fn start(host: &Host, plug: Plug, image: &Image, name: &str) -> Result<Self, String> {
        let tap = plug.tap();
        let run = |words_: &[&str]| host.run(words_).map_err(words);
        run(&["ip", "tuntap", "add", "dev", &tap, "mode", "tap"])?;
        run(&["ip", "link", "set", &tap, "up"])?;
        let console = format!("/run/{name}.console");
        let (kernel, initramfs) = (image.kernel.display(), image.initramfs.display());
        let line = format!(
            "setsid qemu-system-x86_64 -name {name} -accel tcg -M pc -cpu qemu64 -m 128M -nodefaults -display none \
             -no-reboot -kernel {kernel} -initrd {initramfs} -append 'console=ttyS0 quiet panic=-1 mitigations=off' \
             -serial file:{console} -netdev tap,id=n0,ifname={tap},script=no,downscript=no \
             -device virtio-net-pci,netdev=n0,mac={},romfile= </dev/null >{console}.qemu 2>&1 &",
            plug.mac
        );
        host.sh(&line).map_err(words)?;
        Ok(Self { plug, console: host.path(&console) })
    }

    /// What the machine printed so far.
    pub fn console(&self) -> String {
        std::fs::read(&self.console)
            .map(|text| String::from_utf8_lossy(&text).replace('\r', ""))
            .unwrap_or_default()
    }

    /// Waits for a line of the console that begins with `mark`, and returns what follows.
    ///
    /// # Errors
    /// It does not come.
    pub fn said(&self, mark: &str) -> Result<String, String> {
        within(READY_MAX, || {
            let text = self.console();
            let line = text.lines().find_map(|line| line.strip_prefix(mark));
            line.map(|rest| rest.trim().to_owned())
                .ok_or_else(|| format!("no {mark} on the console:\n{text}"))
        })
    }
}
