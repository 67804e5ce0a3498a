//! A real virtual machine: Debian's cloud kernel under qemu's software emulation, with an initramfs of busybox that
//! takes a lease, asks for its metadata and serves a page. It needs no acceleration and boots in seconds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cloud::Cloud;
use crate::host::Host;
use crate::initramfs;
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

/// Makes the image in a folder that is kept (`.lab`).
///
/// # Errors
/// The kernel cannot be had, or a program is missing.
pub fn image(folder: &Path) -> Result<Image, String> {
    let kernel = initramfs::kernel(folder)?;
    let mut archive = initramfs::archive(&kernel, &MODULES, INIT)?;
    archive.file("lease", LEASE.as_bytes(), 0o755);
    let initramfs = folder.canonicalize().map_err(words)?.join("initramfs.cpio");
    std::fs::write(&initramfs, archive.end()).map_err(words)?;
    Ok(Image { kernel: kernel.image, initramfs })
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
