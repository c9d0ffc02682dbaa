//! The configuration file, /etc/iterfs.toml: who may read which table.

use crate::access::policy::{Others, Policies, Policy, Rule};
use crate::access::quota::Quota;
use crate::error::os_errno;
use crate::mount::options::{self, Options};
use crate::trusted;
use glob::Pattern;
use rustix::fs::{Mode, OFlags};
use serde::Deserialize;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The file that is read if it exists and no other is named.
pub const DEFAULT_PATH: &str = "/etc/iterfs.toml";

/// Why a configuration is invalid, with the file and the line.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}{}: {what}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1, if the error belongs to one.
    pub line: Option<usize>,
    /// The reason.
    pub what: String,
    /// The kernel's errno if the file cannot be read; `None` if its text is invalid.
    pub errno: Option<i32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    others: Option<Spanned<String>>,
    #[serde(default)]
    quota: QuotaTable,
    #[serde(default)]
    allow: Vec<RuleTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotaTable {
    handles: Option<u64>,
    bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    path: Spanned<String>,
    owner: Option<Spanned<String>>,
    group: Option<Spanned<String>>,
    mode: Option<Spanned<String>>,
}

/// The policies that follow from a mount's options and the current configuration.
///
/// # Errors
/// The file is invalid, or a file that the options name does not exist.
pub fn policies(options: &Options) -> Result<Policies, ConfigError> {
    let (path, is_named) = match &options.config {
        Some(path) => (path.as_path(), true),
        None => (Path::new(DEFAULT_PATH), false),
    };
    let document = match read(path) {
        Ok(text) => parse(path, &text, options)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => {
            return Ok(Policies::new(
                options.policy,
                options.others,
                Quota::default(),
                Vec::new(),
            ));
        }
        Err(error) => {
            return Err(ConfigError {
                path: path.into(),
                line: None,
                what: error.to_string(),
                errno: Some(os_errno(&error).into()),
            });
        }
    };
    Ok(document)
}

/// The text of a regular file that only root can have written.
fn read(path: &Path) -> io::Result<String> {
    // EINVAL, as for any other fault of a configuration.
    let refused = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return refused("it is not a regular file");
    }
    if trusted::is_owned_by_another(&metadata) || trusted::is_writable_by_others(&metadata) {
        return refused("only root may own it and write to it; run: chown root, chmod go-w");
    }
    io::read_to_string(file)
}

fn parse(path: &Path, text: &str, options: &Options) -> Result<Policies, ConfigError> {
    let line_at = |offset: usize| 1 + text[..offset.min(text.len())].matches('\n').count();
    let wrong = |line: Option<usize>, what: String| ConfigError {
        path: path.into(),
        line,
        what: what.replace('\n', " "),
        errno: None,
    };
    let document: Document = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_at(span.start));
        wrong(line, error.message().to_owned())
    })?;
    let at = |value: &Spanned<String>, what: String| wrong(Some(line_at(value.span().start)), what);

    let others = match (&document.others, options.others) {
        // The mount option overrides the configuration.
        (_, Some(others)) => Some(others),
        (Some(value), None) => {
            let others = Others::parse(value.get_ref());
            Some(others.ok_or_else(|| at(value, "others must be \"own\" or \"none\"".into()))?)
        }
        (None, None) => None,
    };
    let mut rules = Vec::new();
    for table in &document.allow {
        let pattern = Pattern::new(table.path.get_ref().trim_start_matches('/'))
            .map_err(|error| at(&table.path, format!("path is not a valid pattern: {error}")))?;
        let mut policy = Policy {
            // A rule that omits a setting takes it from the mount.
            ..options.policy
        };
        if let Some(owner) = &table.owner {
            policy.uid = options::user(owner.get_ref()).map_err(|e| at(owner, e.to_string()))?;
        }
        if let Some(group) = &table.group {
            policy.gid = options::group(group.get_ref()).map_err(|e| at(group, e.to_string()))?;
        }
        if let Some(mode) = &table.mode {
            policy.mode = options::mode(mode.get_ref()).map_err(|e| at(mode, e.to_string()))?;
        }
        let rule = Rule { pattern, policy };
        if !rule.matches_something() {
            let known =
                "no table has such a path; write * for the part that varies between directories";
            return Err(at(&table.path, known.into()));
        }
        rules.push(rule);
    }
    let default = Quota::default();
    let quota = Quota {
        handles: document.quota.handles.unwrap_or(default.handles),
        bytes: document.quota.bytes.unwrap_or(default.bytes),
    };
    Ok(Policies::new(options.policy, others, quota, rules))
}

#[cfg(test)]
mod tests {
    use super::*;
    use iterfs_mapping::{File, Node};

    fn read(text: &str) -> Result<Policies, ConfigError> {
        parse(Path::new("/etc/iterfs.toml"), text, &Options::default())
    }

    fn file(path: &str) -> File {
        match Node::parse(path) {
            Some(Node::File(file)) => file,
            other => unreachable!("{path}: {other:?}"),
        }
    }

    #[test]
    fn rules_match_by_path_and_the_last_applies() {
        let policies = read(
            r#"
            others = "own"
            [quota]
            handles = 5
            [[allow]]
            path = "net/*"
            group = "100"
            [[allow]]
            path = "net/tcp"
            mode = "0444"
            [[allow]]
            path = "pid/*/files"
            owner = "7"
            mode = "0400"
            "#,
        )
        .unwrap();
        let of = |path: &str| policies.of_file(file(path));
        assert_eq!((of("net/udp").gid, of("net/udp").mode), (100, 0o440));
        assert_eq!((of("net/tcp.csv").gid, of("net/tcp").mode), (0, 0o444));
        assert_eq!(
            (of("pid/42/files").uid, of("pid/42/files").mode),
            (7, 0o400)
        );
        assert_eq!(of("files"), Policy::default());
        assert_eq!(of("kernel/ksyms").mode, 0o400);
        assert_eq!(policies.quota().handles, 5);
    }

    /// The example in the manual.
    fn example() -> &'static str {
        let manual = include_str!("../../../docs/iterfs.8");
        let section = manual.split(".Sh CONFIGURATION\n").nth(1).unwrap();
        let example = section.split(".Bd -literal -offset indent\n").nth(1);
        example.unwrap().split(".Ed\n").next().unwrap()
    }

    #[test]
    fn the_example_in_the_manual_is_valid() {
        let policies = read(example()).unwrap();
        assert_eq!(policies.others(), Others::Own);
        assert_eq!(policies.quota(), Quota::default());
        assert_eq!(policies.of_file(file("pid/1/files")).mode, 0o400);
        assert_ne!(
            policies.of_file(file("netns/1/tcp")).gid,
            policies.of_file(file("net/tcp")).gid
        );
        assert_eq!(policies.of_file(file("kernel/ksyms")).mode, 0o440);
    }

    #[test]
    fn an_error_names_its_line() {
        for (text, line, what) in [
            ("others = \"all\"", 1, "own"),
            ("\nquota = 7", 2, "QuotaTable"),
            ("\n\n[[allow]]\npath = \"tasks\"\nmood = 1", 5, "mood"),
            ("[[allow]]\npath = \"tasks\"\nmode = \"0640\"", 3, "0640"),
            (
                "[[allow]]\npath = \"tasks\"\ngroup = \"no-such-group\"",
                3,
                "no-such-group",
            ),
            ("[[allow]]\npath = \"task\"", 2, "no table"),
            ("[[allow]]\npath = \"a[\"", 2, "pattern"),
            ("[[allow]]\nmode = \"0400\"", 1, "path"),
            ("x = [", 1, ""),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, Some(line), "{text:?}: {error}");
            assert!(error.what.contains(what), "{text:?}: {error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
