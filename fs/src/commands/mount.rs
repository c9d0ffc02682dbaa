//! `iterfs mount`.

use crate::cli::Mount;
use crate::daemon;
use crate::fuse::Adapter;
use crate::log;
use crate::mountpoint::{self, Mountpoint};
use crate::operations::Operations;
use crate::options::Options;
use crate::session::{self, Served};
use anyhow::{Context, Result, bail};
use iterfs_bpf::Kernel;
use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use sd_notify::NotifyState;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

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
    let (served, mountpoint) = mount(arguments, options)?;
    ready().inspect_err(|_| mountpoint.unmount())?;
    // Only a service manager listens, and not every one.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    tracing::info!("mounted on {}", arguments.directory.display());
    served.run()?;
    tracing::info!("unmounted from {}", arguments.directory.display());
    Ok(())
}

fn mount(arguments: &Mount, options: &Options) -> Result<(Served, Mountpoint)> {
    if !rustix::process::geteuid().is_root() {
        bail!("only root can mount an iterfs");
    }
    // The kernel first: what it lacks is known before anything is mounted.
    let kernel = Kernel::new()?;
    let operations = Operations::new(Box::new(kernel), options.policy);
    if let Some(namespace) = &arguments.namespace {
        enter_mount_namespace(namespace)?;
    }
    let directory = mountpoint::prepare(&arguments.directory)?;
    let (fuse, mountpoint) = mountpoint::mount(&directory, &options.source, options.read_only)?;
    let served = session::begin(fuse, Adapter(operations), &mountpoint)?;
    Ok((served, mountpoint))
}

/// Goes where `mount -N` says. Nothing but this thread runs yet, as setns(2) demands.
fn enter_mount_namespace(file: &Path) -> Result<()> {
    let namespace = rustix::fs::open(file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .with_context(|| format!("{} cannot be opened", file.display()))?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))
        .with_context(|| format!("{} cannot be entered", file.display()))
}
