//! The life of a mount: from the kernel's first request to the unmount.

use crate::fuse::Adapter;
use crate::inode;
use crate::mountpoint::Mountpoint;
use anyhow::{Context, Result};
use fuser::{Config, INodeNo, Session, SessionACL};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::os::fd::OwnedFd;
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Threads that take requests from the kernel.
const WORKERS: usize = 4;

/// Of these, how many may be kept by a read at once, so that some are left to serve.
pub const MAX_INLINE: usize = WORKERS - 2;

/// How long open files may hold up the end after a signal.
const GRACE: Duration = Duration::from_millis(500);

/// An offset below 0 has the kernel drop what it knows of an inode but its data
/// (fs/fuse/inode.c, fuse_reverse_inval_inode()).
const ATTRIBUTES_ALONE: i64 = -1;

/// A mount that answers.
pub struct Served {
    session: Session<Adapter>,
}

/// Answers the kernel's first request, after which the mount can be used: what
/// is asked before [`Served::run`] waits for it.
pub fn begin(fuse: OwnedFd, adapter: Adapter, mountpoint: &Mountpoint) -> Result<Served> {
    let mut config = Config::default();
    config.acl = SessionACL::All;
    config.n_threads = Some(WORKERS);
    let operations = Arc::clone(&adapter.0);
    let session = Session::from_fd(adapter, fuse, SessionACL::All, config)
        .inspect_err(|_| mountpoint.unmount())
        .context("the kernel did not take up the mount")?;
    let notifier = session.notifier();
    operations.on_change(move |node| {
        // Of a node that the kernel does not know there is nothing to forget.
        let _ = notifier.inval_inode(INodeNo(inode::number(node)), ATTRIBUTES_ALONE, 0);
    });
    unmount_on_signal(mountpoint.clone())
        .inspect_err(|_| mountpoint.unmount())
        .context("signals cannot be waited for")?;
    Ok(Served { session })
}

impl Served {
    /// Serves until the mount is taken off.
    pub fn run(self) -> Result<()> {
        match self.session.run() {
            Err(error) if !is_end(&error) => Err(error).context("the mount broke"),
            _ => Ok(()),
        }
    }
}

/// An aborted connection (fusectl, `umount -f`) is an end, too.
fn is_end(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NODEV | Errno::CONNABORTED | Errno::NOTCONN)
    )
}

/// SIGTERM and SIGINT take the mount off, which ends the session. Files that
/// stay open would keep it alive: they fail when the process ends all the same.
fn unmount_on_signal(mountpoint: Mountpoint) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if signals.forever().next().is_some() {
                mountpoint.unmount();
                thread::sleep(GRACE);
                process::exit(0);
            }
        })?;
    Ok(())
}
