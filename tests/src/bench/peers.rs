//! Iterators that no iterfs is in: pinned ones, and ones read here.

use super::sys;
use crate::fixtures::mounted::Mounted;
use anyhow::{Context, Result, ensure};
use libbpf_rs::{Iter, Link, Object, ObjectBuilder};
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Prints the columns of `files`.
pub const FILES_TEXT: &str = include_str!("../../bench/files_text.bpf.c");
/// Prints the columns of `net/netlink`.
pub const NETLINK_TEXT: &str = include_str!("../../bench/netlink_text.bpf.c");
/// Does nothing for each open file.
pub const NOTHING: &str = include_str!("../../bench/nothing.bpf.c");

/// Our programs' headers.
const HEADERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../bpf/programs");

/// A loaded program with its link.
pub struct Peer {
    object: Object,
    link: Link,
}

/// How often a program was called, and for how long it ran.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    /// Calls.
    pub count: u64,
    /// Nanoseconds in it.
    pub nanoseconds: u64,
}

impl Peer {
    /// Compiles a program and links it.
    ///
    /// # Errors
    /// If the compiler or the kernel refuses it.
    pub fn load(source: &str) -> Result<Peer> {
        let object = compile(source)?;
        let program = object.progs_mut().next().context("no program")?;
        let link = program.attach()?;
        Ok(Peer { object, link })
    }

    /// Pins the link under a name.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn pin(&mut self, pins: &Mounted, name: &str) -> Result<PathBuf> {
        let path = pins.join(name);
        self.link.pin(&path)?;
        Ok(path)
    }

    /// An iterator.
    ///
    /// # Errors
    /// The kernel's.
    pub fn iterator(&self) -> Result<Iter> {
        Ok(Iter::new(&self.link)?)
    }

    /// The kernel's counts, which it keeps while statistics are on.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn calls(&self) -> Result<Calls> {
        let program = self.object.progs().next().context("no program")?;
        let info = sys::program_info(program.as_fd())?;
        Ok(Calls {
            count: info.run_cnt,
            nanoseconds: info.run_time_ns,
        })
    }
}

fn compile(source: &str) -> Result<Object> {
    let directory = tempfile::tempdir()?;
    let bpf = directory.path().join("bpf");
    fs::create_dir(&bpf)?;
    for (name, text) in libbpf_sys::API_HEADERS {
        fs::write(bpf.join(name), text)?;
    }
    let [text, object] = ["peer.bpf.c", "peer.bpf.o"].map(|name| directory.path().join(name));
    fs::write(&text, source)?;
    let output = Command::new("clang")
        .args(["-g", "-O2", "-Wall", "-Wextra", "-Werror", "-target", "bpf"])
        .args([Path::new("-I"), Path::new(HEADERS)])
        .args([Path::new("-I"), directory.path()])
        .args([Path::new("-c"), &text, Path::new("-o"), &object])
        .output()
        .context("clang does not start")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let object = ObjectBuilder::default().open_file(&object)?.load()?;
    Ok(object)
}
