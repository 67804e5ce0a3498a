//! Network namespaces with names, laid out under `/run/netns` as `ip netns` does it: each
//! name is an empty file with the namespace's nsfs file bound over it.
//!
//! A thread enters a namespace, never the process: [`Netns::run`] starts a short-lived thread
//! for that. Sockets opened there stay in the namespace for good and are used from outside.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags};
use nix::sched::CloneFlags;

use crate::{Error, Result};

/// Where the named namespaces are.
pub const DIR: &str = "/run/netns";

/// A network namespace that can be entered. Cloning is cheap; the namespace lives at least as
/// long as one of these.
#[derive(Debug, Clone)]
pub struct Netns {
    name: Option<Arc<str>>,
    file: Option<Arc<File>>,
}

impl Netns {
    /// The namespace this process runs in.
    #[must_use]
    pub fn host() -> Self {
        Netns { name: None, file: None }
    }

    /// The namespace `name` of [`DIR`].
    ///
    /// # Errors
    /// `is_gone()` when there is none of that name.
    pub fn open(name: &str) -> Result<Self> {
        let file = File::open(path(name)?).map_err(|e| Error::io(format!("namespace {name}"), e))?;
        // A name whose mount is missing (another mount namespace, a half-made one) is a plain
        // empty file, and no namespace.
        match nix::sys::statfs::fstatfs(&file) {
            Ok(fs) if fs.filesystem_type() == nix::sys::statfs::NSFS_MAGIC => {}
            Ok(_) | Err(_) => {
                return Err(Error::io(
                    format!("namespace {name}: not mounted"),
                    io::Error::from(Errno::ENOENT),
                ));
            }
        }
        Ok(Netns { name: Some(name.into()), file: Some(Arc::new(file)) })
    }

    /// The namespace named `name`, made (with `lo` up) if it is not there yet.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn ensure(name: &str) -> Result<Self> {
        match Self::open(name) {
            Ok(ns) => return Ok(ns),
            Err(e) if e.is_gone() => {}
            Err(e) => return Err(e),
        }
        create(name)?;
        let ns = Self::open(name)?;
        crate::netlink::Netlink::open(&ns)?.set_up_by_name("lo")?;
        Ok(ns)
    }

    /// A new namespace without a name: it ends with the last of its users.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn anonymous() -> Result<Self> {
        let maker = std::thread::spawn(|| -> io::Result<File> {
            nix::sched::unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        let file = maker.join().map_err(|_| Error::Odd("the thread for a namespace died".into()))?;
        let file = file.map_err(|e| Error::io("new namespace", e))?;
        Ok(Netns { name: None, file: Some(Arc::new(file)) })
    }

    /// The name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its open nsfs file; `None` for the host's own.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        self.file.as_deref()
    }

    /// Runs `work` inside the namespace: on a thread of its own, or directly when this is the
    /// host's. Whatever `work` opens or spawns is born in the namespace.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let Some(file) = &self.file else { return Ok(work()) };
        let name = self.name().unwrap_or("?");
        std::thread::scope(|scope| {
            let inside = std::thread::Builder::new()
                .name("netns".into())
                .spawn_scoped(scope, || nix::sched::setns(file, CloneFlags::CLONE_NEWNET).map(|()| work()));
            let outcome = inside.map_err(|e| Error::io("thread for a namespace", e))?.join();
            match outcome {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(errno)) => Err(Error::io(format!("entering namespace {name}"), errno)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}

/// The file of the namespace `name`.
fn path(name: &str) -> Result<PathBuf> {
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return Err(Error::Odd(format!("'{name}' cannot name a namespace")));
    }
    Ok(Path::new(DIR).join(name))
}

/// Makes an empty namespace named `name` (all its devices down).
///
/// # Errors
/// `is_there()` when the name is taken by a live namespace.
pub fn create(name: &str) -> Result<()> {
    let path = path(name)?;
    prepare_dir()?;
    let made = fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o444).open(&path);
    match made {
        Ok(_) => {}
        // A left-over without its mount (e.g. of a killed process) is taken over.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && Netns::open(name).is_err() => {}
        Err(e) => return Err(Error::io(format!("creating namespace {name}"), e)),
    }
    let inside = std::thread::scope(|scope| {
        let target = &path;
        let maker = std::thread::Builder::new().name("netns".into()).spawn_scoped(scope, move || {
            nix::sched::unshare(CloneFlags::CLONE_NEWNET)?;
            let source = Some("/proc/thread-self/ns/net");
            nix::mount::mount(source, target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        })?;
        maker.join().map_err(|_| io::Error::other("the thread died"))?.map_err(io::Error::from)
    });
    inside.map_err(|e| {
        fs::remove_file(&path).ok();
        Error::io(format!("creating namespace {name}"), e)
    })
}

/// Makes [`DIR`] a shared mount, so that other mount namespaces see what is mounted there.
fn prepare_dir() -> Result<()> {
    let what = |e: io::Error| Error::io(format!("preparing {DIR}"), e);
    fs::DirBuilder::new().recursive(true).mode(0o755).create(DIR).map_err(what)?;
    let share = || {
        nix::mount::mount(None::<&str>, DIR, None::<&str>, MsFlags::MS_SHARED | MsFlags::MS_REC, None::<&str>)
    };
    match share() {
        Ok(()) => return Ok(()),
        Err(Errno::EINVAL) => {}
        Err(e) => return Err(what(e.into())),
    }
    let onto_itself = MsFlags::MS_BIND | MsFlags::MS_REC;
    nix::mount::mount(Some(DIR), DIR, None::<&str>, onto_itself, None::<&str>).map_err(|e| what(e.into()))?;
    share().map_err(|e| what(e.into()))
}

/// Takes the name away; the namespace itself ends with its last process or socket.
/// A name that is not there is no error.
///
/// # Errors
/// When the kernel refuses.
pub fn delete(name: &str) -> Result<()> {
    let path = path(name)?;
    match nix::mount::umount2(&path, MntFlags::MNT_DETACH) {
        // EINVAL: not a mount point.
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
        Err(e) => return Err(Error::io(format!("unmounting namespace {name}"), e)),
    }
    match fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io(format!("deleting namespace {name}"), e)),
    }
}

/// The names in [`DIR`], sorted.
///
/// # Errors
/// When the directory cannot be read; one that is not there is empty.
pub fn list() -> Result<Vec<String>> {
    let entries = match fs::read_dir(DIR) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(format!("listing {DIR}"), e)),
    };
    let mut names: Vec<String> = entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

/// Whether `name` names a live namespace.
#[must_use]
pub fn exists(name: &str) -> bool {
    Netns::open(name).is_ok()
}
