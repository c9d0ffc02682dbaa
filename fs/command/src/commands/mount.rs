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

/// The time that `umount -f` may take from the abort of the connection to the unmount.
const FORCED_UNMOUNT: Duration = Duration::from_millis(500);

/// Mounts the tree. In the foreground, also serves it until it is unmounted.
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
        // This process reports faults of the machine itself, not through the daemon.
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
    // Threads inherit privileges from their creator, so drop them before the first one.
    privileges::drop_unneeded(arguments.namespace.is_some()).context("cannot drop privileges")?;
    let is_on_terminal = arguments.foreground && has_terminal();
    let signals = Signals::begin(is_on_terminal).context("cannot wait for signals")?;
    let (session, mountpoint) = mount(arguments, options, &signals)?;
    ready().inspect_err(|_| mountpoint.unmount())?;
    // Best effort: only some service managers listen.
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

/// Whether a terminal would send SIGHUP to this process on closing.
fn has_terminal() -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).is_ok() && !sys::is_ignored(SIGHUP)
}

/// Each open of a table takes a descriptor of the daemon, whatever the limit of the caller,
/// so the daemon raises its own limit as far as it may. Before Linux 5.11, BPF maps also
/// count as locked memory; that limit is raised while the daemon has CAP_SYS_RESOURCE.
fn raise_limits() {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limits.maximum,
        ..limits
    };
    if let Err(errno) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(
            "cannot raise the limit of open files from {:?}: {errno}",
            limits.current
        );
    }
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    if let Err(errno) = setrlimit(Resource::Memlock, unlimited) {
        tracing::debug!("cannot raise the limit of locked memory: {errno}");
    }
}

fn mount(arguments: &Mount, options: &Options, signals: &Signals) -> Result<(Session, Mountpoint)> {
    iterfs_fs::sys::give_memory_back();
    // Look at the kernel first, so that anything it lacks is known before the mount.
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
