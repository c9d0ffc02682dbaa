//! Commands run as unprivileged users that nobody else is.

use std::ffi::OsStr;
use std::process::Command;

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
}
