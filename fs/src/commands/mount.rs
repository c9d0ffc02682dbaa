//! `iterfs mount`.

use crate::cli::Mount;
use crate::daemon;
use crate::fuse::Adapter;
use crate::log;
use crate::mountpoint::{self, Mountpoint, Namespace};
use crate::operations::Operations;
use crate::options::Options;
use crate::scheduler::Scheduler;
use crate::session::{self, End, Session};
use anyhow::{Context, Result};
use iterfs_bpf::Kernel;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use std::process::ExitCode;
use std::sync::Arc;

/// Exit codes of mount(8).
const USAGE: u8 = 1;
const MOUNT_FAILED: u8 = 32;

/// Mounts; in the foreground serves, too, until the mount is taken off.
pub fn run(arguments: &Mount) -> ExitCode {
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
        log::to_syslog();
        daemon::detach().and_then(|()| serve(arguments, &options, daemon::ready))
    } else {
        // What is wrong with the machine is said here, not by way of the daemon.
        return daemon::start(std::env::args_os().skip(1)).unwrap_or_else(|error| {
            eprintln!("iterfs: {error:#}");
            ExitCode::from(MOUNT_FAILED)
        });
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
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

fn serve(arguments: &Mount, options: &Options, ready: impl FnOnce() -> Result<()>) -> Result<()> {
    let (session, mountpoint) = mount(arguments, options)?;
    ready().inspect_err(|_| mountpoint.unmount())?;
    // Only a service manager listens, and not every one.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    tracing::info!("mounted on {}", arguments.directory.display());
    let directory = arguments.directory.display();
    match session.run()? {
        End::Unmounted => tracing::info!("unmounted from {directory}"),
        End::Aborted => tracing::error!("the connection of {directory} was aborted"),
    }
    Ok(())
}

/// Each open of a table is a descriptor of the daemon's, whatever the caller's
/// own limit, so the daemon takes as many as it may have.
fn raise_descriptor_limit() {
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
}

fn mount(arguments: &Mount, options: &Options) -> Result<(Session, Mountpoint)> {
    raise_descriptor_limit();
    // The kernel first: what it lacks is known before anything is mounted.
    let kernel = Kernel::new()?;
    let scheduler = Scheduler::new(session::MAX_INLINE).context("cannot start threads")?;
    let operations = Operations::new(Arc::new(kernel), options, scheduler)?;
    let namespace = match &arguments.namespace {
        Some(file) => Namespace::open(file)?,
        None => Namespace::default(),
    };
    let (fuse, mountpoint) = mountpoint::mount(
        &namespace,
        &arguments.directory,
        &options.source,
        options.read_only,
    )?;
    let adapter = Adapter::new(Arc::new(operations));
    let session = session::begin(fuse, &adapter, &mountpoint)?;
    adapter.forget_on_change(session.notifier());
    Ok((session, mountpoint))
}
