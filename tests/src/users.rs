//! Commands run as unprivileged users that nobody else is.

use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::ffi::OsStr;
use std::process::Command;
use std::thread;

/// Who a command is run as. The numbers need no entry in any user database.
#[derive(Clone, Debug)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

impl User {
    /// A user of no group but the primary one.
    pub fn new(uid: u32, gid: u32) -> User {
        User {
            uid,
            gid,
            groups: Vec::new(),
        }
    }

    /// The same user, in these groups as well.
    pub fn in_groups(self, groups: &[u32]) -> User {
        User {
            groups: groups.to_vec(),
            ..self
        }
    }

    /// A command that this user runs.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &self.uid.to_string()])
            .args(["--regid", &self.gid.to_string()]);
        if self.groups.is_empty() {
            command.arg("--clear-groups");
        } else {
            let groups: Vec<_> = self.groups.iter().map(u32::to_string).collect();
            command.args(["--groups", &groups.join(",")]);
        }
        command.arg("--").arg(program);
        command
    }

    /// Runs `work` on a thread that is this user, and nobody else in the process.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        on_thread(|| {
            let groups: Vec<_> = self.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
            set_thread_groups(&groups).expect("its groups");
            become_user(self.uid, self.uid, self.gid);
            work()
        })
    }

    /// Runs `work` on a thread that acts as this user and really is root.
    pub fn run_for_root<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        on_thread(|| {
            set_thread_groups(&[]).expect("no groups");
            become_user(0, self.uid, self.gid);
            work()
        })
    }
}

fn become_user(real: u32, effective: u32, gid: u32) {
    let gid = Gid::from_raw(gid);
    set_thread_res_gid(gid, gid, gid).expect("its group");
    let (real, effective) = (Uid::from_raw(real), Uid::from_raw(effective));
    set_thread_res_uid(real, effective, real).expect("its user");
}

fn on_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
