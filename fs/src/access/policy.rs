//! The owner of the tree, and the rules for reading it.
//!
//! The kernel checks the mode bits (`default_permissions`), groups included. The daemon
//! checks each open again by the same bits, so that no cached attribute lets a caller in.

use crate::access::quota::Quota;
use glob::{MatchOptions, Pattern};
use iterfs_mapping::{Audience, Control, File, TABLES};

/// Owner, group and mode of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    /// User that owns the tree.
    pub uid: u32,
    /// Group that owns the tree.
    pub gid: u32,
    /// Permission bits of files; a directory adds the search bit wherever the read bit is
    /// set.
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

/// The view of users to whom no rule gives access.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Others {
    /// Nothing.
    None,
    /// In the tables of processes, the rows about their own processes.
    Own,
}

impl Others {
    /// Parses the value of the `others` option.
    pub fn parse(text: &str) -> Option<Others> {
        match text {
            "none" => Some(Others::None),
            "own" => Some(Others::Own),
            _ => None,
        }
    }

    /// The value of the `others` option.
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
    /// The pattern. The paths that it is compared with have `*` in place of the part that
    /// varies between directories: a process, a map, a cgroup or a net namespace.
    pub pattern: Pattern,
    /// The policy of these tables.
    pub policy: Policy,
}

/// The policies of a mount: who may read which table.
#[derive(Clone, Debug)]
pub struct Policies {
    default: Policy,
    others: Others,
    quota: Quota,
    rules: Vec<Rule>,
}

/// How much of a table a user may read, in increasing order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Rights {
    /// Nothing.
    None,
    /// The rows about the user's own processes.
    Own,
    /// Everything.
    All,
}

/// A `*` does not match the `/` between directories, as in shells.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

impl Rule {
    fn matches(&self, path: &str) -> bool {
        self.pattern.matches_with(path, MATCHING)
    }

    /// Whether the rule matches the path of any table.
    pub fn matches_something(&self) -> bool {
        let user = self.pattern.as_str().starts_with("user/");
        let mut tables = TABLES.iter().flat_map(|table| {
            let paths = table.places.iter();
            let patterns = paths.flat_map(|place| place.patterns());
            patterns.map(|pattern| pattern.starred(table.name))
        });
        user || tables.any(|path| self.matches(&path))
    }
}

/// A file's path, in the form that rules are compared with.
fn starred(file: File) -> String {
    let name = file.table.table().name;
    match file.directory.pattern() {
        Some(pattern) => pattern.starred(name),
        None => file.path(),
    }
}

impl Policies {
    /// Policies from the mount's own policy and its rules. The last rule that matches a
    /// path applies.
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

    /// The limits of each user.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// The policy of a file of the layout.
    pub fn of_file(&self, file: File) -> Policy {
        let of_table = self.default.for_audience(file.table.table().audience);
        self.of_path(&starred(file)).unwrap_or(of_table)
    }

    /// The policy of a user program's table.
    pub fn of_user_table(&self, name: &str) -> Policy {
        self.of_path(&format!("user/{name}"))
            .unwrap_or(self.default)
    }

    /// The policy of directories. If rules admit more users than the owner and the group,
    /// everybody may enter; what a directory lists is decided when it is read.
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

    /// The view of users to whom no rule gives access.
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

impl Policy {
    /// The policy of a table for this audience.
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

    /// The policy of the control file.
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

    /// Whether a user may read, given a predicate for membership in a group.
    pub fn may_read(self, uid: u32, is_in_group: impl FnOnce(u32) -> bool) -> bool {
        let bits = if uid == 0 {
            return true;
        } else if uid == self.uid {
            self.mode >> 6
        } else if is_in_group(self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        bits & 0o4 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_read(policy: Policy, uid: u32, group: u32) -> bool {
        policy.may_read(uid, |gid| gid == group)
    }

    #[test]
    fn mode_bits_decide() {
        let policy = Policy {
            uid: 10,
            gid: 20,
            mode: 0o440,
        };
        assert!(may_read(policy, 0, 0));
        assert!(may_read(policy, 10, 99));
        assert!(may_read(policy, 11, 20));
        assert!(!may_read(policy, 11, 99));
        let others = Policy {
            mode: 0o004,
            ..policy
        };
        assert!(!may_read(others, 10, 99));
        assert!(!may_read(others, 11, 20));
        assert!(may_read(others, 11, 99));
    }

    #[test]
    fn whoever_may_read_may_enter_directories() {
        let mode = |mode| Policy {
            mode,
            ..Policy::default()
        };
        assert_eq!(mode(0o440).directory_mode(), 0o550);
        assert_eq!(mode(0o444).directory_mode(), 0o555);
        assert_eq!(mode(0o400).directory_mode(), 0o500);
    }
}
