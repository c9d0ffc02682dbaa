//! The options of `-o`: those of iterfs, and those of mount(8) that do not concern it. All
//! others are refused.

use crate::access::memory;
use crate::access::policy::{Others, Policy};
use nix::unistd::{Group, User};
use std::path::PathBuf;

/// The options of a mount.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// Owner, group and mode of the tree.
    pub policy: Policy,
    /// Whether the mount is read-only to the kernel.
    pub read_only: bool,
    /// The source that the mount table shows, if it is named.
    pub source: Option<String>,
    /// The bpffs directory below which links are pinned.
    pub pins: PathBuf,
    /// The directory whose objects appear as tables in `user`.
    pub programs: Option<PathBuf>,
    /// The view of users without other access; if not given, the configuration decides.
    pub others: Option<Others>,
    /// The configuration file; if not given, `/etc/iterfs.toml` if it exists.
    pub config: Option<PathBuf>,
    /// Bytes of memory that the daemon may take.
    pub memory: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            policy: Policy::default(),
            read_only: false,
            source: None,
            pins: "/sys/fs/bpf/iterfs".into(),
            programs: None,
            others: None,
            config: None,
            memory: memory::DEFAULT,
        }
    }
}

/// An invalid option.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OptionError {
    /// An unknown option.
    #[error("unknown option '{0}'; iterfs(8) lists the options")]
    Unknown(String),
    /// An attempt to remount: an iterfs keeps the options that it was mounted with.
    #[error("an iterfs cannot be remounted; unmount it and mount it again")]
    Remount,
    /// A missing value, or a value for an option that takes none.
    #[error("option '{0}' is invalid; write it as {1}")]
    Form(String, &'static str),
    /// A user or group that does not exist.
    #[error("no {0} '{1}' exists; use an existing {0}, by name or by number")]
    Nobody(&'static str, String),
    /// A path that depends on the working directory of the command.
    #[error("'{0}' is not an absolute path")]
    Relative(String),
    /// An invalid size, or one that is too small to serve anybody.
    #[error(
        "'{0}' is not a valid memory size: use at least {least}M, such as memory=256M",
        least = memory::LEAST >> 20
    )]
    Memory(String),
    /// An invalid mode.
    #[error("'{0}' is not a mode: use octal digits up to 0777, such as mode=0440")]
    Mode(String),
    /// A mode with write or execute bits.
    #[error("mode={0} includes write or execute bits; use only read bits, such as mode=0440")]
    Writable(String),
}

/// The option that ignores unknown options, as mount.nfs and `mount -s` have it.
const SLOPPY: &str = "sloppy";

/// Options that mount(8) passes on or users write in fstab, and that mean nothing to a
/// filesystem without storage (mount(8), FILESYSTEM-INDEPENDENT MOUNT OPTIONS).
const IGNORED: &[&str] = &[
    "rw",
    "defaults",
    "auto",
    "noauto",
    "user",
    "nouser",
    "users",
    "owner",
    "group",
    "nofail",
    "_netdev",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "exec",
    "noexec",
    "sync",
    "async",
    "dirsync",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "lazytime",
    "nolazytime",
    "iversion",
    "noiversion",
    "mand",
    "nomand",
    "symfollow",
    "nosymfollow",
    "silent",
    "loud",
    "allow_other",
    "default_permissions",
];

impl Options {
    /// Reads a comma-separated list, such as `gid=adm,mode=0440`.
    ///
    /// # Errors
    /// The first invalid option.
    pub fn parse(lists: &[String]) -> Result<Options, OptionError> {
        let mut options = Options::default();
        let words = || {
            let words = lists.iter().flat_map(|list| list.split(','));
            words.filter(|word| !word.is_empty())
        };
        let sloppy = words().any(|word| word == SLOPPY);
        for word in words() {
            match options.take(word) {
                Err(OptionError::Unknown(_)) if sloppy => {}
                taken => taken?,
            }
        }
        Ok(options)
    }

    fn take(&mut self, word: &str) -> Result<(), OptionError> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let needed = |form| {
            value
                .filter(|v| !v.is_empty())
                .ok_or(OptionError::Form(name.into(), form))
        };
        match name {
            "uid" => self.policy.uid = user(needed("uid=USER")?)?,
            "gid" => self.policy.gid = group(needed("gid=GROUP")?)?,
            "mode" => self.policy.mode = mode(needed("mode=OCTAL")?)?,
            "fsname" => self.source = Some(needed("fsname=NAME")?.into()),
            "others" => {
                let form = "others=own or others=none";
                let others = Others::parse(needed(form)?);
                self.others = Some(others.ok_or(OptionError::Form(name.into(), form))?);
            }
            "config" => self.config = Some(absolute(needed("config=FILE")?)?),
            "memory" => self.memory = size(needed("memory=SIZE")?)?,
            "pins" => self.pins = absolute(needed("pins=DIR")?)?,
            "programs" => self.programs = Some(absolute(needed("programs=DIR")?)?),
            "ro" if value.is_none() => self.read_only = true,
            "rw" if value.is_none() => self.read_only = false,
            "comment" => {}
            "remount" if value.is_none() => return Err(OptionError::Remount),
            _ if name.starts_with("x-") || name.starts_with("X-") => {}
            SLOPPY if value.is_none() => {}
            _ if IGNORED.contains(&name) && value.is_none() => {}
            _ => return Err(OptionError::Unknown(word.into())),
        }
        Ok(())
    }
}

/// The source of a mount whose options name none.
const SOURCE: &str = "iterfs";

const MEBIBYTE: u64 = 1 << 20;

impl Options {
    /// The source that the mount table shows. The kernel keeps none of the options of
    /// iterfs, so unless a source is named, it lists the options that differ from their
    /// defaults.
    pub fn source(&self) -> String {
        if let Some(source) = &self.source {
            return source.clone();
        }
        let default: Vec<_> = Options::default().words().collect();
        let words = self.words().filter(|word| !default.contains(word));
        match words.collect::<Vec<_>>().join(",") {
            none if none.is_empty() => SOURCE.into(),
            words => format!("{SOURCE}:{words}"),
        }
    }

    /// All options in force, in the form of `-o`.
    pub fn in_force(&self) -> String {
        self.words().collect::<Vec<_>>().join(",")
    }

    fn words(&self) -> impl Iterator<Item = String> {
        let Policy { uid, gid, mode } = self.policy;
        let path = |name: &str, path: &PathBuf| format!("{name}={}", path.display());
        let others = self
            .others
            .map(|others| format!("others={}", others.name()));
        let programs = self.programs.as_ref().map(|at| path("programs", at));
        let config = self.config.as_ref().map(|at| path("config", at));
        let access = if self.read_only { "ro" } else { "rw" };
        [
            access.to_owned(),
            format!("uid={uid}"),
            format!("gid={gid}"),
            format!("mode={mode:04o}"),
            path("pins", &self.pins),
            match self.memory % MEBIBYTE {
                0 => format!("memory={}M", self.memory / MEBIBYTE),
                _ => format!("memory={}", self.memory),
            },
        ]
        .into_iter()
        .chain([programs, others, config].into_iter().flatten())
    }
}

fn absolute(path: &str) -> Result<PathBuf, OptionError> {
    match path.starts_with('/') {
        true => Ok(path.into()),
        false => Err(OptionError::Relative(path.into())),
    }
}

/// A user's id, by name or number.
pub(crate) fn user(name: &str) -> Result<u32, OptionError> {
    if let Ok(uid) = name.parse() {
        return Ok(uid);
    }
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        _ => Err(OptionError::Nobody("user", name.into())),
    }
}

/// A group's id, by name or number.
pub(crate) fn group(name: &str) -> Result<u32, OptionError> {
    if let Ok(gid) = name.parse() {
        return Ok(gid);
    }
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        _ => Err(OptionError::Nobody("group", name.into())),
    }
}

/// A number of bytes, with or without a suffix K, M or G (powers of 1024).
fn size(text: &str) -> Result<u64, OptionError> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 10),
        Some((at, 'M' | 'm')) => (&text[..at], 20),
        Some((at, 'G' | 'g')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|_| is_number);
    number
        .and_then(|number| number.checked_mul(1 << unit))
        .filter(|bytes| *bytes >= memory::LEAST)
        .ok_or(OptionError::Memory(text.into()))
}

/// Read bits, in octal.
pub(crate) fn mode(text: &str) -> Result<u16, OptionError> {
    let octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    match u16::from_str_radix(text, 8) {
        Ok(mode) if octal && mode & !0o444 == 0 => Ok(mode),
        Ok(mode) if octal && mode <= 0o777 => Err(OptionError::Writable(text.into())),
        _ => Err(OptionError::Mode(text.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(list: &str) -> Result<Options, OptionError> {
        Options::parse(&[list.into()])
    }

    #[test]
    fn valid_options_are_parsed() {
        let options = parse("gid=42,mode=0444,uid=7,ro,fsname=kernel").unwrap();
        let policy = Policy {
            uid: 7,
            gid: 42,
            mode: 0o444,
        };
        assert_eq!(options.policy, policy);
        assert!(options.read_only);
        assert_eq!(options.source(), "kernel");
        assert_eq!(parse("").unwrap(), Options::default());
        for (size, mebibytes) in [("64M", 64), ("65536k", 64), ("1G", 1024), ("33554432", 32)] {
            let options = parse(&format!("memory={size}")).unwrap();
            assert_eq!(options.memory, mebibytes << 20, "{size}");
        }
        assert_eq!(
            parse("uid=root,gid=root").unwrap().policy,
            Policy::default()
        );
    }

    #[test]
    fn the_options_in_force_can_be_given_again() {
        for list in [
            "",
            "ro,uid=7,gid=42,mode=0444,pins=/a b",
            "others=own,programs=/p,config=/c",
            "memory=1G",
            "memory=33554433",
        ] {
            let options = parse(list).unwrap();
            assert_eq!(parse(&options.in_force()).unwrap(), options);
        }
        assert_eq!(parse("").unwrap().source(), "iterfs");
        assert_eq!(parse("gid=0,rw").unwrap().source(), "iterfs");
        let options = parse("mode=0400,gid=42,others=own,ro").unwrap();
        assert_eq!(options.source(), "iterfs:ro,gid=42,mode=0400,others=own");
    }

    #[test]
    fn options_that_mount_and_fstab_add_are_ignored() {
        let list = "defaults,nofail,_netdev,user,noexec,nosuid,rw,x-systemd.automount,X-mount.mkdir,comment=mine";
        assert_eq!(parse(list).unwrap(), Options::default());
    }

    #[test]
    fn sloppy_ignores_unknown_options_but_no_other_error() {
        assert_eq!(parse("sloppy").unwrap(), Options::default());
        let options = parse("nonsense=1,mode=0400,sloppy,more").unwrap();
        assert_eq!(options.policy.mode, 0o400);
        assert!(parse("sloppy,mode=0888").is_err());
        assert_eq!(parse("remount,ro"), Err(OptionError::Remount));
    }

    #[test]
    fn each_error_names_the_option() {
        for (list, named) in [
            ("gidd=adm", "gidd=adm"),
            ("gid", "gid"),
            ("gid=", "gid"),
            ("gid=no-such-group", "no-such-group"),
            ("uid=no-such-user", "no-such-user"),
            ("mode=0888", "0888"),
            ("mode=+440", "+440"),
            ("mode=01777", "01777"),
            ("mode=0640", "0640"),
            ("noexec=1", "noexec=1"),
            ("others=all", "others"),
            ("config=x", "x"),
            ("pins=here", "here"),
            ("programs", "programs"),
            ("memory", "memory"),
            ("memory=x", "x"),
            ("memory=31M", "31M"),
            ("memory=+64M", "+64M"),
            ("memory=18446744073709551615G", "18446744073709551615G"),
            ("nonsense", "nonsense"),
        ] {
            let error = parse(list).unwrap_err().to_string();
            assert!(error.contains(named), "{list}: {error}");
            assert!(!error.contains('\n'));
        }
    }

    proptest! {
        #[test]
        fn every_policy_can_be_written_as_options(uid: u32, gid: u32, mode in 0u16..0o1000) {
            let policy = Policy { uid, gid, mode: mode & 0o444 };
            let list = format!("uid={uid},gid={gid},mode={:04o}", policy.mode);
            prop_assert_eq!(parse(&list).unwrap().policy, policy);
        }

        #[test]
        fn any_text_is_taken_or_refused(list in "\\PC*") {
            let _ = parse(&list);
        }
    }
}
