//! The commands of the control file.

use iterfs_mapping::contract::ObjectFile;
use iterfs_mapping::{Narrowing, Order};
use std::path::PathBuf;

/// The maximum length of a command, in bytes.
pub const MAX_LENGTH: usize = 4096;

/// The maximum length of a name in `user`, in bytes.
const MAX_NAME: usize = 64;

/// One command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// `pin [PATH [PIN]]`
    Pin {
        /// The table's path below the mount; without it, every table.
        path: Option<String>,
        /// The pin's path below the directory of pins; without it, derived from the table's
        /// path.
        pin: Option<String>,
    },
    /// `unpin [PATH]`
    Unpin {
        /// The table's path; without it, every pin that iterfs made.
        path: Option<String>,
    },
    /// `update PATH OBJECT [PROGRAM]`, `update PATH default`
    Update {
        /// The table's path.
        path: String,
        /// The new program; without it, the table's own.
        object: Option<ObjectFile>,
    },
    /// `load NAME OBJECT [PROGRAM] [PARAMETER=VALUE …]`
    Load {
        /// The name below `user`.
        name: String,
        /// The program.
        object: ObjectFile,
        /// The part of its target that it walks. A cgroup is given by its path.
        narrowing: Narrowing<String>,
    },
    /// `unload NAME`
    Unload {
        /// The name below `user`.
        name: String,
    },
    /// `reload`
    Reload,
}

/// The reason why a write is not a valid command.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// More than [`MAX_LENGTH`] bytes.
    #[error("a command has at most {MAX_LENGTH} bytes")]
    TooLong,
    /// A write that does not begin at offset 0.
    #[error("a command must be written with one write(2), from offset 0")]
    Offset,
    /// Bytes that are not UTF-8 text.
    #[error("a command must be UTF-8 text")]
    NotText,
    /// A NUL byte.
    #[error("a command must not contain a NUL byte")]
    Nul,
    /// Several lines.
    #[error("a write must be one command, and this one has several lines")]
    Lines,
    /// No words.
    #[error("empty command; use {COMMANDS}")]
    Empty,
    /// An unknown first word.
    #[error("unknown command '{0}'; use {COMMANDS}")]
    Unknown(String),
    /// Too few or too many words.
    #[error("usage: {0}")]
    Form(&'static str),
    /// An invalid parameter.
    #[error(
        "invalid parameter '{0}'; use pid=N, tid=N, map=ID, cgroup=PATH, order=self|descendants|ancestors|each"
    )]
    Parameter(String),
    /// Parameters that exclude each other.
    #[error("give one of pid=, tid=, map= and cgroup=, and order= only with cgroup=")]
    Parameters,
    /// An invalid name for a table in `user`.
    #[error("invalid table name '{0}': use letters, digits, _ and -, at most {MAX_NAME}")]
    Name(String),
    /// A path that depends on the daemon's working directory.
    #[error("'{0}' is not an absolute path; the daemon has another working directory")]
    Relative(String),
    /// A backslash that does not begin an escape.
    #[error("invalid escape in '{0}': write \\ooo, such as \\040 for a blank")]
    Escape(String),
}

const COMMANDS: &str = "pin, unpin, update, load, unload or reload";
const PIN: &str = "pin [PATH [PIN]]";
const UNPIN: &str = "unpin [PATH]";
const UPDATE: &str = "update PATH OBJECT [PROGRAM], or: update PATH default";
const LOAD: &str =
    "load NAME OBJECT [PROGRAM] [pid=N | tid=N | map=ID | cgroup=PATH [order=ORDER]]";
const UNLOAD: &str = "unload NAME";
const RELOAD: &str = "reload";

/// The word that stands for a table's own program.
const DEFAULT: &str = "default";

impl Command {
    /// Parses a write: one line of words separated by blanks, in which `\ooo` stands for a
    /// byte.
    ///
    /// # Errors
    /// The reason why it is not one of the commands.
    pub fn parse(bytes: &[u8]) -> Result<Command, CommandError> {
        if bytes.len() > MAX_LENGTH {
            return Err(CommandError::TooLong);
        }
        if bytes.contains(&0) {
            return Err(CommandError::Nul);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| CommandError::NotText)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        if text.contains(['\n', '\r']) {
            return Err(CommandError::Lines);
        }
        let words: Vec<String> = text
            .split([' ', '\t'])
            .filter(|word| !word.is_empty())
            .map(unescaped)
            .collect::<Result<_, _>>()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (command, operands) = words.split_first().ok_or(CommandError::Empty)?;
        let owned = |word: &&str| (*word).to_owned();
        match (*command, operands) {
            ("pin", [] | [_] | [_, _]) => Ok(Command::Pin {
                path: operands.first().map(owned),
                pin: operands.get(1).map(owned),
            }),
            ("pin", _) => Err(CommandError::Form(PIN)),
            ("unpin", [] | [_]) => Ok(Command::Unpin {
                path: operands.first().map(owned),
            }),
            ("unpin", _) => Err(CommandError::Form(UNPIN)),
            ("update", [path, DEFAULT]) => Ok(Command::Update {
                path: owned(path),
                object: None,
            }),
            ("update", [path, object] | [path, object, _]) => Ok(Command::Update {
                path: owned(path),
                object: Some(file(object, operands.get(2).copied())?),
            }),
            ("update", _) => Err(CommandError::Form(UPDATE)),
            ("load", [name, object, rest @ ..]) => load(name, object, rest),
            ("load", _) => Err(CommandError::Form(LOAD)),
            ("unload", [name]) => Ok(Command::Unload {
                name: checked_name(name)?,
            }),
            ("unload", _) => Err(CommandError::Form(UNLOAD)),
            ("reload", []) => Ok(Command::Reload),
            ("reload", _) => Err(CommandError::Form(RELOAD)),
            (other, _) => Err(CommandError::Unknown(other.into())),
        }
    }
}

/// Checks a name for a table in `user`.
///
/// # Errors
/// [`CommandError::Name`] if the name is invalid.
pub fn checked_name(name: &str) -> Result<String, CommandError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(name.into())
    } else {
        Err(CommandError::Name(name.into()))
    }
}

fn load(name: &str, object: &str, rest: &[&str]) -> Result<Command, CommandError> {
    let (program, parameters) = match rest.split_first() {
        Some((first, parameters)) if !first.contains('=') => (Some(*first), parameters),
        _ => (None, rest),
    };
    Ok(Command::Load {
        name: checked_name(name)?,
        object: file(object, program)?,
        narrowing: narrowing(parameters)?,
    })
}

fn file(path: &str, program: Option<&str>) -> Result<ObjectFile, CommandError> {
    if !path.starts_with('/') {
        return Err(CommandError::Relative(path.into()));
    }
    Ok(ObjectFile {
        path: PathBuf::from(path),
        program: program.map(str::to_owned),
    })
}

fn narrowing(words: &[&str]) -> Result<Narrowing<String>, CommandError> {
    let mut narrowed = Narrowing::Nothing;
    // The given order; `Some(None)` is `each`, which walks each cgroup by itself.
    let mut order: Option<Option<Order>> = None;
    for word in words {
        let bad = || CommandError::Parameter((*word).to_owned());
        let (name, value) = word.split_once('=').ok_or_else(bad)?;
        let number = || iterfs_mapping::number::parse_id(value).ok_or_else(bad);
        let parameter = match name {
            "pid" => Narrowing::Process(number()?),
            "tid" => Narrowing::Thread(number()?),
            "map" => Narrowing::Map(number()?),
            "cgroup" => Narrowing::Cgroup(value.into(), Order::Descendants),
            "order" if order.is_none() => {
                order = Some(match value {
                    "self" => Some(Order::Itself),
                    "descendants" => Some(Order::Descendants),
                    "ancestors" => Some(Order::Ancestors),
                    "each" => None,
                    _ => return Err(bad()),
                });
                continue;
            }
            "order" => return Err(CommandError::Parameters),
            _ => return Err(bad()),
        };
        if narrowed != Narrowing::Nothing {
            return Err(CommandError::Parameters);
        }
        narrowed = parameter;
    }
    match (narrowed, order) {
        (Narrowing::Cgroup(path, _), Some(Some(order))) => Ok(Narrowing::Cgroup(path, order)),
        (Narrowing::Cgroup(path, _), Some(None)) => Ok(Narrowing::EachCgroup(path)),
        (other, None) => Ok(other),
        (_, Some(_)) => Err(CommandError::Parameters),
    }
}

/// Decodes the `\ooo` escapes of a word, which tables write for bytes that would split it.
fn unescaped(word: &str) -> Result<String, CommandError> {
    if !word.contains('\\') {
        return Ok(word.into());
    }
    let bad = || CommandError::Escape(word.into());
    let mut plain = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'\\' {
            plain.push(byte);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(3).ok_or_else(bad)?;
        let digits = std::str::from_utf8(digits).map_err(|_| bad())?;
        let octal = digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
        let byte = u8::from_str_radix(digits, 8).ok().filter(|_| octal);
        // A NUL would end every path.
        plain.push(byte.filter(|byte| *byte != 0).ok_or_else(bad)?);
        rest = after;
    }
    String::from_utf8(plain).map_err(|_| CommandError::NotText)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Command, CommandError> {
        Command::parse(text.as_bytes())
    }

    #[test]
    fn valid_commands_are_parsed() {
        let pin = |path: Option<&str>, pin: Option<&str>| Command::Pin {
            path: path.map(Into::into),
            pin: pin.map(Into::into),
        };
        assert_eq!(parse("pin\n"), Ok(pin(None, None)));
        assert_eq!(parse(" pin\tnet/tcp "), Ok(pin(Some("net/tcp"), None)));
        assert_eq!(parse("pin tasks t"), Ok(pin(Some("tasks"), Some("t"))));
        assert_eq!(
            parse("pin cgroup/a\\040b/cgroup.self"),
            Ok(pin(Some("cgroup/a b/cgroup.self"), None))
        );
        assert_eq!(
            parse("update tasks default"),
            Ok(Command::Update {
                path: "tasks".into(),
                object: None
            })
        );
        let object = |program: Option<&str>| ObjectFile {
            path: "/a.o".into(),
            program: program.map(Into::into),
        };
        assert_eq!(
            parse("load mine /a.o dump cgroup=/x order=self"),
            Ok(Command::Load {
                name: "mine".into(),
                object: object(Some("dump")),
                narrowing: Narrowing::Cgroup("/x".into(), Order::Itself),
            })
        );
        assert_eq!(
            parse("load m-1 /a.o map=7"),
            Ok(Command::Load {
                name: "m-1".into(),
                object: object(None),
                narrowing: Narrowing::Map(7),
            })
        );
        let load = |narrowing| Command::Load {
            name: "c".into(),
            object: object(None),
            narrowing,
        };
        assert_eq!(
            parse("load c /a.o order=each cgroup=/"),
            Ok(load(Narrowing::EachCgroup("/".into())))
        );
        assert_eq!(
            parse("load c /a.o cgroup=/"),
            Ok(load(Narrowing::Cgroup("/".into(), Order::Descendants)))
        );
        assert_eq!(parse("reload"), Ok(Command::Reload));
    }

    #[test]
    fn invalid_commands_are_refused_with_the_reason() {
        use CommandError::*;
        for (text, error) in [
            ("", Empty),
            ("\n", Empty),
            ("Pin", Unknown("Pin".into())),
            ("pin a b c", Form(PIN)),
            ("unpin a b", Form(UNPIN)),
            ("update tasks", Form(UPDATE)),
            ("update tasks /a.o p q", Form(UPDATE)),
            ("update tasks a.o", Relative("a.o".into())),
            ("load x", Form(LOAD)),
            ("load x.y /a.o", Name("x.y".into())),
            ("load .. /a.o", Name("..".into())),
            ("load x /a.o p q", Parameter("q".into())),
            ("load x /a.o pid=0", Parameter("pid=0".into())),
            ("load x /a.o pid=1 tid=1", Parameters),
            ("load x /a.o order=self", Parameters),
            (
                "load x /a.o cgroup=/ order=up",
                Parameter("order=up".into()),
            ),
            ("unload", Form(UNLOAD)),
            ("reload now", Form(RELOAD)),
            ("pin\npin", Lines),
            ("pin a\0b", Nul),
            ("pin a\\09", Escape("a\\09".into())),
            ("pin a\\000", Escape("a\\000".into())),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
        assert_eq!(Command::parse(b"pin \xff"), Err(NotText));
        assert_eq!(Command::parse(&[b'a'; MAX_LENGTH + 1]), Err(TooLong));
    }

    #[test]
    fn a_million_mutated_writes_are_parsed_or_refused() {
        let bases: [&[u8]; 6] = [
            b"pin net/tcp a/b",
            b"unpin",
            b"update tasks /a\\040b.o p",
            b"load x /a.o p pid=4",
            b"load x /a.o cgroup=/a order=self",
            b"unload x",
        ];
        // xorshift64 (Marsaglia 2003).
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |bound: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as usize % bound
        };
        let mut read = 0;
        for _ in 0..1_000_000 {
            let mut bytes = bases[below(bases.len())].to_vec();
            for _ in 0..=below(3) {
                let at = below(bytes.len());
                match below(3) {
                    0 => bytes[at] = below(256) as u8,
                    1 => bytes.insert(at, b" \t\n\\/.=07x"[below(10)]),
                    _ if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => {}
                }
            }
            match Command::parse(&bytes) {
                Ok(_) => read += 1,
                Err(error) => assert!(!error.to_string().contains('\n'), "{bytes:?}"),
            }
        }
        assert!(read > 100_000, "{read}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_command_or_one_line(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(error) = Command::parse(&bytes) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }

        #[test]
        fn mutated_commands_are_read_or_refused(
            base in prop_oneof!["pin net/tcp", "update tasks /a.o p", "load x /a.o p pid=4", "unload x"],
            at in 0usize..20,
            with in any::<u8>(),
        ) {
            let mut bytes = base.into_bytes();
            let at = at % bytes.len();
            bytes[at] = with;
            let _ = Command::parse(&bytes);
        }
    }
}
