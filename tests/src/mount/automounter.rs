//! The other side of autofs: mounts on a directory when somebody first looks into it.
//!
//! As automount(8) and systemd do (Documentation/filesystems/autofs.rst): the kernel lets
//! through to the directory only processes of the automounter's process group, to which
//! the program that mounts belongs. All others wait until it says that it has mounted.

use crate::sys;
use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::unistd::{Pid, getpgrp, setpgid};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::process::Command;

/// The size of `struct autofs_v5_packet` (linux/auto_fs.h), as 64-bit kernels write it.
const PACKET: usize = 304;

/// The kernel's request for a direct mount: `autofs_ptype_missing_direct`.
const MISSING: u32 = 5;

/// Whether the running kernel has autofs.
pub fn is_in_kernel() -> bool {
    let filesystems = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    filesystems.lines().any(|line| line.ends_with("\tautofs"))
}

/// Sets the trap, says `ready`, and runs a command whenever somebody walks into it; until
/// autofs is unmounted.
///
/// # Errors
/// If the kernel refuses a step.
pub fn serve(directory: &Path, command: &[OsString]) -> Result<()> {
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    let (requests, asks) = pipe_with(PipeFlags::CLOEXEC)?;
    let options = format!(
        "fd={},pgrp={},minproto=5,maxproto=5,direct",
        asks.as_raw_fd(),
        getpgrp()
    );
    let kind = Some("autofs");
    mount(
        kind,
        directory,
        kind,
        MsFlags::empty(),
        Some(OsStr::new(&options)),
    )
    .context("autofs cannot be mounted")?;
    drop(asks);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(directory, flags, Mode::empty())?;
    println!("ready");
    let (program, arguments) = command.split_first().context("no command")?;
    loop {
        let mut packet = [0; PACKET];
        let length = rustix::io::read(&requests, &mut packet)?;
        if length == 0 {
            return Ok(());
        }
        ensure!(length == PACKET, "a packet of {length} bytes");
        let number = |at: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|byte| packet[at + byte]));
        let (kind, token) = (number(4), number(8));
        ensure!(kind == MISSING, "a packet of type {kind}");
        let mounted = Command::new(program).args(arguments).status()?.success();
        sys::answer_autofs(root.as_fd(), token, mounted)?;
    }
}
