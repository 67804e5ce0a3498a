//! Debian's cloud kernel, and initramfs archives that it boots from. The package is unpacked, not installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::report::words;

/// A kernel and its modules.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The file to boot.
    pub image: PathBuf,
    /// The folder whose `lib/modules` has its modules.
    pub tree: PathBuf,
    /// Its name, as `uname -r` has it.
    pub version: String,
}

/// Finds the kernel in a folder that is kept (`.lab`): downloads Debian's package once.
///
/// # Errors
/// The package cannot be had, or a program is missing.
pub fn kernel(folder: &Path) -> Result<Kernel, String> {
    std::fs::create_dir_all(folder).map_err(words)?;
    let folder = folder.canonicalize().map_err(words)?;
    let tree = folder.join("kernel");
    if !tree.join("boot").exists() {
        download(&folder, &tree)?;
    }
    let image = first(&tree.join("boot"), "vmlinuz-")?;
    let version = image.file_name().unwrap_or_default().to_string_lossy().replace("vmlinuz-", "");
    Ok(Kernel { image, tree, version })
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

/// An archive with busybox, an `/init`, and modules in `/modules` to load in the order of `/modules/order`.
///
/// # Errors
/// A module or a program is missing.
pub fn archive(kernel: &Kernel, modules: &[&str], init: &str) -> Result<Archive, String> {
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "modules", "proc", "sys", "tmp", "etc"] {
        archive.folder(folder);
    }
    let mut order = String::new();
    for path in paths(kernel, modules)? {
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
    archive.file("init", init.as_bytes(), 0o755);
    Ok(archive)
}

/// Files of modules and of what they need, in the order to load them.
fn paths(kernel: &Kernel, modules: &[&str]) -> Result<Vec<PathBuf>, String> {
    let (version, modules) = (&kernel.version, modules.join(" "));
    let wanted = format!("for m in {modules}; do modprobe -d . -S {version} --show-depends $m; done");
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in sh(&kernel.tree, &wanted)?.lines().filter_map(|line| line.strip_prefix("insmod ")) {
        let path = kernel.tree.join(path.split(' ').next().unwrap_or_default().trim_start_matches("./"));
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// A cpio archive in the form the kernel reads (`newc`).
#[derive(Default)]
pub struct Archive {
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

    /// A folder.
    pub fn folder(&mut self, name: &str) {
        self.entry(name, 0o040_755, &[]);
    }

    /// A file with its permissions.
    pub fn file(&mut self, name: &str, content: &[u8], mode: u32) {
        self.entry(name, 0o100_000 | mode, content);
    }

    /// The whole of it.
    pub fn end(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

/// Sizes in the archive have 32 bits; ours are far smaller.
fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
