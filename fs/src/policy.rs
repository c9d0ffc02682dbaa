//! Who owns the tree and who may read it.
//!
//! The kernel checks the mode bits (`default_permissions`), groups included. An
//! open is checked again here, by the same bits, so that no cached attribute lets
//! a caller in.

use iterfs_mapping::{Audience, Control};
use std::fs;

/// Owner, group and mode of every table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    /// User that owns the tree.
    pub uid: u32,
    /// Group that owns the tree.
    pub gid: u32,
    /// Permission bits of files; directories add search where there is read.
    pub mode: u16,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            uid: 0,
            gid: 0,
            mode: 0o440,
        }
    }
}

/// Who asks, as a FUSE request tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Requester {
    /// Thread id in our pid namespace; 0 if it cannot be seen from there.
    pub tid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group; the supplementary ones are not told.
    pub gid: u32,
}

impl Policy {
    /// What holds for a table of this audience.
    pub fn for_audience(self, audience: Audience) -> Policy {
        match audience {
            Audience::Readers => self,
            Audience::Root => Policy {
                uid: 0,
                gid: 0,
                mode: 0o400,
            },
        }
    }

    /// What holds for the control file.
    pub fn for_control(form: Control) -> Policy {
        Policy {
            uid: 0,
            gid: 0,
            mode: match form {
                Control::Text => 0o600,
                Control::Json => 0o400,
            },
        }
    }

    /// Permission bits of a directory.
    pub fn directory_mode(self) -> u16 {
        self.mode | (self.mode & 0o444) >> 2
    }

    /// Whether the requester may read.
    pub fn may_read(self, requester: &Requester) -> bool {
        let bits = if requester.uid == 0 {
            return true;
        } else if requester.uid == self.uid {
            self.mode >> 6
        } else if requester.gid == self.gid || in_group(requester.tid, self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        bits & 0o4 != 0
    }
}

/// Whether a thread that is blocked in a request has a supplementary group.
fn in_group(tid: u32, gid: u32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{tid}/status")) else {
        return false;
    };
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:"));
    groups.is_some_and(|groups| {
        groups
            .split_whitespace()
            .any(|group| group.parse() == Ok(gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requester(uid: u32, gid: u32) -> Requester {
        Requester { tid: 0, uid, gid }
    }

    #[test]
    fn mode_bits_decide() {
        let policy = Policy {
            uid: 10,
            gid: 20,
            mode: 0o440,
        };
        assert!(policy.may_read(&requester(0, 0)));
        assert!(policy.may_read(&requester(10, 99)));
        assert!(policy.may_read(&requester(11, 20)));
        assert!(!policy.may_read(&requester(11, 99)));
        let others = Policy {
            mode: 0o004,
            ..policy
        };
        assert!(!others.may_read(&requester(10, 99)));
        assert!(!others.may_read(&requester(11, 20)));
        assert!(others.may_read(&requester(11, 99)));
    }

    #[test]
    fn directories_can_be_entered_by_who_may_read() {
        let mode = |mode| Policy {
            mode,
            ..Policy::default()
        };
        assert_eq!(mode(0o440).directory_mode(), 0o550);
        assert_eq!(mode(0o444).directory_mode(), 0o555);
        assert_eq!(mode(0o400).directory_mode(), 0o500);
    }

    #[test]
    fn supplementary_groups_count() {
        let own = rustix::process::getgroups().unwrap();
        let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        for group in own {
            assert!(in_group(tid, group.as_raw()));
        }
        assert!(!in_group(tid, 0xfff_fff0));
    }
}
