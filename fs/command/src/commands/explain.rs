//! `iterfs explain PATH`: asks the daemon how it would answer a name.
//!
//! The daemon answers as the value of an extended attribute of the table's directory, whose
//! name holds the name of the file. A name that asks in vain cannot be looked up, so the file
//! itself could not have the attribute.

use super::locate::{Place, locate};
use super::output::{failed, print};
use anyhow::{Context, Result, bail};
use rustix::fs::getxattr;
use rustix::io::Errno;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// The beginning of the attribute's name.
const ATTRIBUTE: &str = "user.iterfs.explain.";

/// The beginning of an explanation. Any other answer is the reason why there is none.
const EXPLANATION: &str = "table: ";

/// The longest name of an attribute (include/uapi/linux/limits.h, XATTR_NAME_MAX).
const LONGEST_NAME: usize = 255;

/// The longest value of an attribute (include/uapi/linux/limits.h, XATTR_SIZE_MAX).
const LONGEST_VALUE: usize = 64 * 1024;

/// Prints how a name would be answered.
pub(crate) fn run(path: &Path) -> ExitCode {
    match locate(path).and_then(|place| explained(&place)) {
        Ok(text) => print(|out| {
            writeln!(out, "{}", text.trim_end())?;
            Ok(ExitCode::SUCCESS)
        }),
        Err(error) => failed(&error),
    }
}

/// The daemon's explanation of a name.
///
/// # Errors
/// The reason why the name asks in vain, or why there is no explanation.
fn explained(place: &Place) -> Result<String> {
    let mount = place.mount()?;
    let answer = ask(&mount.join(place.directory()), place.name())?;
    match answer.starts_with(EXPLANATION) {
        true => Ok(answer),
        false => bail!("{}", answer.trim_end()),
    }
}

/// The reason why a name asks in vain, if the daemon tells it.
pub(super) fn fault(place: &Place) -> Option<String> {
    let mount = place.mount().ok()?;
    let answer = ask(&mount.join(place.directory()), place.name()).ok()?;
    let is_fault = !answer.starts_with(EXPLANATION);
    is_fault.then(|| answer.trim_end().to_owned())
}

fn ask(directory: &Path, name: &str) -> Result<String> {
    let attribute = format!("{ATTRIBUTE}{name}");
    if attribute.len() > LONGEST_NAME {
        let most = LONGEST_NAME - ATTRIBUTE.len();
        bail!(
            "the name is too long to be explained: it has {} bytes, {most} at most",
            name.len()
        );
    }
    let mut value = vec![0; LONGEST_VALUE];
    let length = match getxattr(directory, &attribute, &mut value[..]) {
        Ok(length) => length,
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => bail!(
            "the daemon that serves {} explains no names; unmount it, and mount it again with \
             this iterfs",
            directory.display()
        ),
        Err(Errno::NOENT | Errno::NOTDIR) => {
            bail!(
                "there is no table {}/{name}; see: iterfs ls",
                directory.display()
            )
        }
        Err(errno) => {
            return Err(io::Error::from(errno))
                .with_context(|| format!("cannot explain {}/{name}", directory.display()));
        }
    };
    value.truncate(length);
    Ok(String::from_utf8_lossy(&value).into_owned())
}
