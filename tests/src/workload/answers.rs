//! The workload's side of requests: a JSON line in, a JSON line out.

use super::sys;
use rustix::fs::RawDir;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use serde_json::{Value, json};
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::{fs, process};

/// Says that the workload is set up and what it made.
///
/// # Errors
/// If nobody listens.
pub fn ready(mut facts: Value) -> io::Result<()> {
    facts["pid"] = process::id().into();
    say(&facts)
}

/// Answers requests until there will be no more.
///
/// # Errors
/// If nobody listens.
pub fn serve() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let request: (String, String) = serde_json::from_str(&line?)?;
        say(&match answer(&request.0, &request.1) {
            Ok(answer) => json!({ "ok": answer }),
            Err(error) => json!({ "errno": error.raw_os_error(), "error": error.to_string() }),
        })?;
    }
    Ok(())
}

fn answer(request: &str, path: &str) -> io::Result<Value> {
    match request {
        "read" => Ok(read(path)?.into()),
        "open" => fs::File::open(path).map(|_| Value::Null),
        "stat" => fs::metadata(path).map(|_| Value::Null),
        "statfs" => Ok(rustix::fs::statfs(path).map(|_| Value::Null)?),
        "truncate" => fs::File::options()
            .write(true)
            .truncate(true)
            .open(path)
            .map(|_| Value::Null),
        // Of a descriptor that it inherited, by number.
        "target" => Ok(rustix::fs::readlinkat(inherited(path)?, "", Vec::new())
            .map(|target| target.to_string_lossy().into())?),
        "entries" => entries(&inherited(path)?),
        "rest" => rest(inherited(path)?),
        // Opens a file handle of its own making, and tells where.
        "handle" => opened_by_handle(path),
        "link" => Ok(fs::read_link(path)?.to_string_lossy().into()),
        "list" => {
            let names = fs::read_dir(path)?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            Ok(names.collect::<io::Result<Vec<String>>>()?.into())
        }
        // Its user may look into it no more, or again.
        "close" => closed(DumpableBehavior::NotDumpable),
        "disclose" => closed(DumpableBehavior::Dumpable),
        // Becomes another workload, which says what it made instead of an answer.
        "exec" => Err(Command::new(path).arg("idle").exec()),
        _ => Err(io::Error::other(format!("no request {request}"))),
    }
}

/// A copy of an inherited descriptor.
fn inherited(number: &str) -> io::Result<OwnedFd> {
    let descriptors = PathBuf::from("/proc/self/fd");
    let number: i32 = number.parse().map_err(io::Error::other)?;
    fs::symlink_metadata(descriptors.join(number.to_string()))?;
    sys::copy(number)
}

/// The names in an open directory, from its start.
fn entries(directory: &OwnedFd) -> io::Result<Value> {
    rustix::fs::seek(directory, rustix::fs::SeekFrom::Start(0))?;
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names.into())
}

/// Reads on from where a descriptor stands, as cat does: it asks for attributes first.
fn rest(file: OwnedFd) -> io::Result<Value> {
    let mut file = fs::File::from(file);
    file.metadata()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text.into())
}

/// The path of a new descriptor for the inode of this number in the filesystem that a
/// directory is in: `NUMBER:DIRECTORY`.
fn opened_by_handle(request: &str) -> io::Result<Value> {
    let (inode, directory) = request.split_once(':').unwrap_or_default();
    let inode: u64 = inode.parse().map_err(io::Error::other)?;
    let opened = sys::open_by_handle(&fs::File::open(directory)?, inode)?;
    // It stays open as long as the process runs.
    Ok(format!("/proc/self/fd/{}", opened.into_raw_fd()).into())
}

fn closed(behavior: DumpableBehavior) -> io::Result<Value> {
    set_dumpable_behavior(behavior)?;
    Ok(Value::Null)
}

/// All of a file. Of a pin the kernel asks the reader itself to read again after a
/// million objects without output, which a busy machine may have.
fn read(path: &str) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut text = Vec::new();
    loop {
        match file.read_to_end(&mut text) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
            Ok(_) => return String::from_utf8(text).map_err(io::Error::other),
        }
    }
}

fn say(line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
