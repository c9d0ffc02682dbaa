//! `iterfs ctl DIRECTORY [COMMAND]`: writes a command to a mount's control file, and
//! reads the outcome from the same descriptor.

use super::output::{failed, print};
use crate::cli::Ctl;
use anyhow::{Context, Result, bail, ensure};
use iterfs_mapping::Control;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, absolute};
use std::process::ExitCode;

/// Sends a command to a mount, or prints its report.
pub(crate) fn run(directory: &Path, command: Option<&Ctl>) -> ExitCode {
    match told(directory, command) {
        Ok(text) => print(|out| {
            out.write_all(&text)?;
            Ok(ExitCode::SUCCESS)
        }),
        Err(error) => failed(&error),
    }
}

/// The answer of the control file.
fn told(directory: &Path, command: Option<&Ctl>) -> Result<Vec<u8>> {
    let line = command.map(line).transpose()?;
    let mut file = open(directory, Control::Text, line.is_some())?;
    let written = match line {
        Some(line) => file.write(line.as_bytes()).map(drop),
        None => Ok(()),
    };
    let mut outcome = Vec::new();
    let read = file.read_to_end(&mut outcome);
    match (written, read) {
        (Ok(()), read) => {
            read.with_context(|| format!("cannot read the outcome from {}", directory.display()))?;
            Ok(outcome)
        }
        // The outcome of a failed command is the reason.
        (Err(_), Ok(1..)) => {
            let reason = String::from_utf8_lossy(&outcome);
            bail!("{}", reason.trim_end())
        }
        (Err(error), _) => Err(error).context("the mount did not accept the command"),
    }
}

/// Opens the control file of a mount, in one of its forms.
pub(super) fn open(directory: &Path, form: Control, to_write: bool) -> Result<File> {
    let path = directory.join(form.name());
    let opened = OpenOptions::new().read(true).write(to_write).open(&path);
    opened.map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                "give the directory that an iterfs is mounted on, as seen from the host"
            }
            ErrorKind::PermissionDenied => "only root may use the control file",
            ErrorKind::ReadOnlyFilesystem => "the mount is read-only and takes no commands",
            ErrorKind::NotConnected => "the daemon has ended; mount the tree again",
            _ => "cannot open the control file",
        };
        anyhow::Error::new(error).context(format!("{}: {advice}", path.display()))
    })
}

/// A command in the form that is written to the control file.
fn line(command: &Ctl) -> Result<String> {
    let mut words = Vec::new();
    match command {
        Ctl::Pin { table, pin } => {
            words.push("pin".into());
            words.extend(table.iter().chain(pin).cloned());
        }
        Ctl::Unpin { table } => {
            words.push("unpin".into());
            words.extend(table.clone());
        }
        Ctl::Update {
            table,
            object,
            program,
        } => {
            words.extend(["update".into(), table.clone(), whole(object)?]);
            words.extend(program.clone());
        }
        Ctl::Load { name, object, rest } => {
            words.extend(["load".into(), name.clone(), whole(object)?]);
            words.extend(rest.clone());
        }
        Ctl::Unload { name } => words.extend(["unload".into(), name.clone()]),
        Ctl::Reload => words.push("reload".into()),
    }
    for word in &words {
        ensure!(!word.is_empty(), "a command must not contain an empty word");
    }
    let words: Vec<_> = words.iter().map(|word| escaped(word)).collect();
    Ok(words.join(" "))
}

/// The absolute path of an object, because the daemon has another working directory. The
/// word `default` is not a path; write `./default` for a file of that name.
fn whole(object: &Path) -> Result<String> {
    if object == Path::new("default") {
        return Ok("default".into());
    }
    let path = absolute(object).with_context(|| format!("{}", object.display()))?;
    let path = path.into_os_string().into_string();
    path.map_err(|path| anyhow::anyhow!("{} is not UTF-8", path.display()))
}

/// A word in which `\ooo` replaces the characters that would end it.
fn escaped(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    for character in word.chars() {
        match character {
            ' ' | '\\' | '\0'..='\x1f' | '\x7f' => {
                escaped.push_str(&format!("\\{:03o}", u32::from(character)));
            }
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use iterfs_fs::control::command::Command;
    use proptest::prelude::*;

    fn load(name: &str, object: &str, rest: &[&str]) -> Ctl {
        Ctl::Load {
            name: name.into(),
            object: object.into(),
            rest: rest.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    #[test]
    fn objects_are_named_by_their_absolute_path() {
        let here = std::env::current_dir().unwrap();
        let whole = here.join("x y.o").to_str().unwrap().replace(' ', "\\040");
        let written = line(&load("w", "x y.o", &["say", "pid=1"])).unwrap();
        assert_eq!(written, format!("load w {whole} say pid=1"));
        let update = |object: &str| {
            line(&Ctl::Update {
                table: "tasks".into(),
                object: object.into(),
                program: None,
            })
        };
        assert_eq!(update("default").unwrap(), "update tasks default");
        let named = format!("update tasks {}", here.join("default").display());
        assert_eq!(update("./default").unwrap(), named);
        assert!(line(&load("", "/x.o", &[])).is_err());
    }

    proptest! {
        #[test]
        fn any_words_come_back(path in "/[^\\x00]{1,40}", program in "[^=\\x00]{1,20}") {
            prop_assume!(path != "/default");
            let Ok(written) = line(&load("w", &path, &[&program])) else {
                unreachable!("it has no empty word")
            };
            let Ok(Command::Load { object, .. }) = Command::parse(written.as_bytes()) else {
                return Err(TestCaseError::fail(written));
            };
            prop_assert_eq!(object.path, absolute(&path).unwrap());
            prop_assert_eq!(object.program, Some(program));
        }
    }
}
