//! Who owns the tree and who may read it.
//!
//! The kernel checks the mode bits (`default_permissions`), groups included. An
//! open is checked again here, by the same bits, so that no cached attribute lets
//! a caller in.

use crate::quota::{AccountId, Quota};
use glob::{MatchOptions, Pattern};
use iterfs_mapping::{Audience, Control, Directory, File, Place, TABLES};
use std::fs;

/// Owner, group and mode of a table.
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

/// What those may read whom nothing else lets in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Others {
    /// Nothing.
    None,
    /// Of the tables of processes, what is about their own.
    Own,
}

impl Others {
    /// Reads the value of the option.
    pub fn parse(text: &str) -> Option<Others> {
        match text {
            "none" => Some(Others::None),
            "own" => Some(Others::Own),
            _ => None,
        }
    }

    /// The value of the option.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Others::None => "none",
            Others::Own => "own",
        }
    }
}

/// A rule for the tables whose paths match a pattern.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The pattern. What differs between directories, a process, a map, a cgroup or
    /// a net namespace, is `*` in the paths it is compared with.
    pub pattern: Pattern,
    /// What holds for them.
    pub policy: Policy,
}

/// Who may read what.
#[derive(Clone, Debug)]
pub struct Policies {
    default: Policy,
    others: Others,
    quota: Quota,
    rules: Vec<Rule>,
}

/// What somebody may read of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rights {
    /// Everything.
    All,
    /// What is about their own processes.
    Own,
    /// Nothing.
    None,
}

/// Patterns tell directories apart as shells do.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

impl Rule {
    fn matches(&self, path: &str) -> bool {
        self.pattern.matches_with(path, MATCHING)
    }

    /// Whether there is any table that it is for.
    pub fn matches_something(&self) -> bool {
        let user = self.pattern.as_str().starts_with("user/");
        let mut tables = TABLES.iter().flat_map(|table| {
            let paths = table.places.iter();
            paths.flat_map(|place| general_paths(*place, table.name))
        });
        user || tables.any(|path| self.matches(&path))
    }
}

/// A table's paths, as rules are compared with them.
fn general_paths(place: Place, name: &str) -> Vec<String> {
    match place {
        Place::Root => vec![name.into()],
        Place::Process => vec![format!("pid/*/{name}")],
        Place::Net => vec![format!("net/{name}"), format!("netns/*/{name}")],
        Place::Bpf => vec![format!("bpf/{name}")],
        Place::Map => vec![format!("bpf/map/*/{name}")],
        Place::Cgroup => vec![format!("cgroup/*/{name}")],
        Place::Kernel => vec![format!("kernel/{name}")],
        Place::Summary => vec![format!("summary/{name}")],
    }
}

/// A file's path, likewise.
fn general_path(file: File) -> String {
    let name = file.table.table().name;
    match file.directory {
        Directory::Process(_) => format!("pid/*/{name}"),
        Directory::NetNamespace(_) => format!("netns/*/{name}"),
        Directory::Map(_) => format!("bpf/map/*/{name}"),
        Directory::Cgroup(_) => format!("cgroup/*/{name}"),
        Directory::Root => name.into(),
        directory => format!("{}/{name}", directory.path()),
    }
}

impl Policies {
    /// By the mount's own policy and rules, of which the last that matches counts.
    pub fn new(
        default: Policy,
        others: Option<Others>,
        quota: Quota,
        rules: Vec<Rule>,
    ) -> Policies {
        Policies {
            default,
            others: others.unwrap_or(Others::None),
            quota,
            rules,
        }
    }

    /// The bounds of each user.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// What holds for a file of the layout.
    pub fn of_file(&self, file: File) -> Policy {
        let of_table = self.default.for_audience(file.table.table().audience);
        self.of_path(&general_path(file)).unwrap_or(of_table)
    }

    /// What holds for a table that was brought.
    pub fn of_user_table(&self, name: &str) -> Policy {
        self.of_path(&format!("user/{name}"))
            .unwrap_or(self.default)
    }

    /// What holds for directories. Where rules let in more than the owner and the
    /// group, everybody may go through; what is listed is decided when it is.
    pub fn of_directories(&self) -> Policy {
        let mode = match self.rules.is_empty() && self.others == Others::None {
            true => self.default.directory_mode(),
            false => 0o555,
        };
        Policy {
            mode,
            ..self.default
        }
    }

    /// Whether others may read what is their own.
    pub fn others(&self) -> Others {
        self.others
    }

    fn of_path(&self, path: &str) -> Option<Policy> {
        let mut rules = self.rules.iter().rev();
        rules
            .find(|rule| rule.matches(path))
            .map(|rule| rule.policy)
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
    /// Who pays for what it asks, once that was found out.
    pub account: Option<AccountId>,
}

impl Requester {
    /// The same, with the account that pays: found out once, while the caller waits.
    pub fn identified(self) -> Requester {
        Requester {
            account: Some(self.account()),
            ..self
        }
    }

    /// The account that pays for what it asks.
    pub fn account(&self) -> AccountId {
        self.account
            .unwrap_or_else(|| AccountId::of_caller(self.tid, self.uid))
    }
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
        Requester {
            tid: 0,
            uid,
            gid,
            account: None,
        }
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
