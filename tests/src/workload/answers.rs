//! The workload's side of requests: a JSON line in, a JSON line out.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use serde_json::{Value, json};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::process::CommandExt;
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
