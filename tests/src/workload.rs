//! A process whose tasks and files a test knows, because it chose them.
//!
//! The helper program `workload` sets itself up, says on its standard output what
//! it made, and waits. Then it answers requests, which is how a test reads files
//! as a process in other namespaces, until its standard input closes.

use crate::{proc, programs};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub mod answers;
pub mod connected;
pub mod files;
mod fixtures;
pub mod many;
pub mod mappings;
pub mod netlink;
mod sys;
pub mod threads;
pub mod withholding;

pub use fixtures::{Cgroup, Ended};
use threads::BURNER;

/// A running workload; it ends when dropped.
#[derive(Debug)]
pub struct Workload {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    facts: Value,
}

impl Workload {
    /// The helper program.
    pub fn program() -> PathBuf {
        programs::iterfs().with_file_name("workload")
    }

    /// One of a kind (see `src/bin/workload.rs`), with the kind's arguments.
    pub fn start(kind: &str, arguments: &[&OsStr]) -> Workload {
        let mut command = Command::new(Self::program());
        command.arg(kind).args(arguments);
        Self::from_command(command)
    }

    /// One that is started by another command, such as unshare.
    pub fn under(wrapper: &[&str], kind: &str) -> Workload {
        let mut command = Command::new(wrapper[0]);
        command.args(&wrapper[1..]).arg(Self::program()).arg(kind);
        Self::from_command(command)
    }

    /// A copy of the program at a path of the test's choice, idle.
    pub fn copied_to(path: &Path) -> Workload {
        std::fs::copy(Self::program(), path).expect("a copy of the workload");
        let mut command = Command::new(path);
        command.arg("idle");
        Self::from_command(command)
    }

    /// The workload that a command becomes.
    pub fn from_command(mut command: Command) -> Workload {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A file of its own: the test's may grow while the two are compared.
            .stderr(Stdio::piped());
        let mut child = loop {
            match command.spawn() {
                Ok(child) => break child,
                // A copy just written is busy while another test's child, between
                // fork and exec, still has the descriptor it was written by.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                    thread::yield_now();
                }
                Err(error) => panic!("{command:?}: {error}"),
            }
        };
        let mut answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let facts = line(&mut answers).unwrap_or_else(|said| {
            let mut errors = String::new();
            let _ = child.kill();
            let _ = child
                .stderr
                .take()
                .map(|mut pipe| pipe.read_to_string(&mut errors));
            panic!("{command:?}: {said:?} {errors}")
        });
        settled(&proc::process(child.id()));
        Workload {
            requests: child.stdin.take(),
            child,
            answers,
            facts,
        }
    }

    /// The process that was started: the workload, or the command around it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it made, by the name it gave that: threads, descriptors, addresses.
    pub fn fact(&self, name: &str) -> &Value {
        let fact = self.facts.get(name);
        fact.unwrap_or_else(|| unreachable!("no {name} in {}", self.facts))
    }

    /// A fact that is a number.
    pub fn number(&self, name: &str) -> u32 {
        let number = self.fact(name).as_u64();
        number
            .and_then(|number| u32::try_from(number).ok())
            .expect("a number")
    }

    /// All facts.
    pub fn facts(&self) -> &serde_json::Map<String, Value> {
        self.facts.as_object().expect("facts by name")
    }

    /// Has the process do something and tell what came of it.
    pub fn ask(&mut self, request: &str, path: &Path) -> Value {
        let mut requests = self.requests.as_ref().expect("a running workload");
        let path = path.to_str().expect("a path in UTF-8");
        writeln!(requests, "{}", json!([request, path])).expect("a workload that listens");
        line(&mut self.answers).unwrap_or_else(|said| unreachable!("the workload said {said:?}"))
    }

    /// The text of a file, read by the process.
    pub fn read(&mut self, path: &Path) -> String {
        let answer = self.ask("read", path);
        let text = answer["ok"].as_str();
        text.unwrap_or_else(|| unreachable!("{}: {answer}", path.display()))
            .to_owned()
    }

    /// The rows of a table's `.jsonl`, read by the process.
    pub fn rows(&mut self, path: &Path) -> Vec<crate::Row> {
        let text = self.read(path);
        let rows = text.lines().map(serde_json::from_str);
        rows.collect::<Result<_, _>>().expect("an object a line")
    }

    /// The names in a directory, sorted, as the process sees it.
    pub fn list(&mut self, path: &Path) -> Vec<String> {
        let answer = self.ask("list", path);
        let names = answer["ok"].as_array();
        let names = names.unwrap_or_else(|| unreachable!("{}: {answer}", path.display()));
        let name = |name: &Value| name.as_str().expect("a name").to_owned();
        let mut names: Vec<String> = names.iter().map(name).collect();
        names.sort();
        names
    }

    /// Ends the process and waits for its end.
    pub fn end(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        drop(self.requests.take());
        // A command that asks its child to end with it may not see the input
        // close, and one that is stopped would never.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until all threads that are going to sleep have got there.
fn settled(process: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let asleep = |tid: u32| {
        let stat = proc::Stat::read(&process.join("task").join(tid.to_string()));
        stat.is_ok_and(|stat| stat.state() == "sleeping" || stat.comm() == BURNER.as_bytes())
    };
    let threads = process.join("task");
    while !proc::numbers(&threads).into_iter().all(asleep) {
        assert!(
            Instant::now() < deadline,
            "{} does not rest",
            process.display()
        );
        thread::yield_now();
    }
}

/// One line of JSON, or what else there was.
fn line(answers: &mut BufReader<ChildStdout>) -> Result<Value, String> {
    let mut line = String::new();
    answers.read_line(&mut line).expect("a workload's pipe");
    serde_json::from_str(&line).map_err(|_| line)
}
