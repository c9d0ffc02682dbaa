//! `iterfs mount`.

use crate::cli::Mount;
use crate::daemon::{self, Inherited};
use crate::log;
use crate::privileges;
use crate::signals::Signals;
use crate::sys;
use anyhow::{Context, Result};
use iterfs_bpf::Kernel;
use iterfs_fs::fuse::Adapter;
use iterfs_fs::mount::options::Options;
use iterfs_fs::mount::{self, Mountpoint, Namespace};
use iterfs_fs::operations::Operations;
use iterfs_fs::scheduler::Scheduler;
use iterfs_fs::session::{self, End, Session};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use signal_hook::consts::SIGHUP;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Exit codes of mount(8).
const USAGE: u8 = 1;
const SYSTEM_ERROR: u8 = 2;
const MOUNT_FAILED: u8 = 32;

/// How long umount(8) may take from its abort to its unmount, with -f.
const FORCED_UNMOUNT: Duration = Duration::from_millis(500);

/// Mounts; in the foreground serves, too, until the mount is taken off.
pub(crate) fn run(arguments: &Mount) -> ExitCode {
    let options = match Options::parse(&arguments.options) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("iterfs: {error}");
            return ExitCode::from(USAGE);
        }
    };
    if !rustix::process::geteuid().is_root() {
        eprintln!("iterfs: only root can mount an iterfs; run it with sudo");
        return ExitCode::from(MOUNT_FAILED);
    }
    let result = if arguments.foreground {
        log::to_standard_error();
        serve(arguments, &options, || Ok(()))
    } else if arguments.daemon {
        let inherited = Inherited::note();
        log::to_syslog();
        serve(arguments, &options, || daemon::ready(inherited))
    } else {
        // What is wrong with the machine is said here, not by way of the daemon.
        return daemon::start(std::env::args_os().skip(1)).unwrap_or_else(|error| {
            eprintln!("iterfs: {error:#}");
            ExitCode::from(MOUNT_FAILED)
        });
    };
    match result {
        Ok(End::Unmounted) => ExitCode::SUCCESS,
        Ok(End::Aborted) => ExitCode::from(SYSTEM_ERROR),
        Err(error) if arguments.daemon => {
            println!("iterfs: {error:#}");
            ExitCode::from(MOUNT_FAILED)
        }
        Err(error) => {
            eprintln!("iterfs: {error:#}");
            ExitCode::from(MOUNT_FAILED)
        }
    }
}

fn serve(arguments: &Mount, options: &Options, ready: impl FnOnce() -> Result<()>) -> Result<End> {
    raise_limits();
    // Threads have what the one has that starts them: this comes before the first.
    privileges::drop_unneeded(arguments.namespace.is_some())
        .context("privileges cannot be given up")?;
    let is_on_terminal = arguments.foreground && has_terminal();
    let signals = Signals::begin(is_on_terminal).context("signals cannot be waited for")?;
    let (session, mountpoint) = mount(arguments, options, &signals)?;
    ready().inspect_err(|_| mountpoint.unmount())?;
    // Only a service manager listens, and not every one.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let directory = arguments.directory.display();
    tracing::info!("mounted on {directory}");
    let end = session.run().inspect_err(|_| mountpoint.unmount())?;
    let patience = match end {
        End::Unmounted => FORCED_UNMOUNT,
        End::Aborted => Duration::ZERO,
    };
    if mountpoint.unmount_aborted(patience) || end == End::Aborted {
        tracing::error!("the connection of {directory} was aborted");
        return Ok(End::Aborted);
    }
    tracing::info!("unmounted from {directory}");
    Ok(End::Unmounted)
}

/// Whether a terminal would send this process SIGHUP when it is closed.
fn has_terminal() -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).is_ok() && !sys::is_ignored(SIGHUP)
}

/// Each open of a table is a descriptor of the daemon's, whatever the caller's own
/// limit, so the daemon takes as many as it may have. Before Linux 5.11 a BPF map counts
/// as locked memory, too, for which the limit is raised while CAP_SYS_RESOURCE is there.
fn raise_limits() {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limits.maximum,
        ..limits
    };
    if let Err(errno) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(
            "the limit of open files stays at {:?}: {errno}",
            limits.current
        );
    }
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    if let Err(errno) = setrlimit(Resource::Memlock, unlimited) {
        tracing::debug!("the limit of locked memory stays: {errno}");
    }
}

fn mount(arguments: &Mount, options: &Options, signals: &Signals) -> Result<(Session, Mountpoint)> {
    iterfs_fs::sys::give_memory_back();
    // The kernel first: what it lacks is known before anything is mounted.
    let kernel = Kernel::new()?.pinning_below(options.pins.clone());
    let scheduler = Scheduler::new(session::MAX_INLINE).context("cannot start threads")?;
    let operations = Operations::new(Arc::new(kernel), options, scheduler)?;
    let operations = Arc::new(operations);
    let namespace = match &arguments.namespace {
        Some(file) => Namespace::open(file)?,
        None => Namespace::default(),
    };
    let (fuse, mountpoint) = signals.mounting(|| {
        mount::mount(
            &namespace,
            &arguments.directory,
            &options.source(),
            options.read_only,
        )
    })?;
    let adapter = Adapter::new(Arc::clone(&operations));
    let session = adapter.serve(fuse, &mountpoint)?;
    adapter.notify(&session.notifier(), session.kernel_minor());
    signals.on_reload(move || operations.reload());
    Ok((session, mountpoint))
}
