//! Runs the tests under other kernels: see docs/KERNELS.md.
//!
//! `kernels run [GUEST…]` boots every guest, or those whose names begin so;
//! `kernels small` boots the oldest and the newest kernel, with few tests;
//! `kernels list` names the guests; `kernels document FILE` writes what the logs of
//! the last run say.

use anyhow::{Context, Result, bail};
use iterfs_tests::matrix::guests::{Extent, Guest, guests};
use iterfs_tests::matrix::{document, log, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()?;
    let all = guests(Extent::Whole, &checkout)?;
    let good = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => {
            all.iter().for_each(|guest| println!("{}", guest.name()));
            true
        }
        ["small"] => run::run(&guests(Extent::Small, &checkout)?, &checkout, &target()?)?,
        ["run", ref names @ ..] => run::run(&chosen(all, names)?, &checkout, &target()?)?,
        ["document", file] => {
            let logs = target()?.join(run::LOGS);
            let runs = all.into_iter().map(|guest| {
                let text = fs::read(logs.join(format!("{}.log", guest.name()))).ok();
                let log = text.map(|text| log::parse(&String::from_utf8_lossy(&text)));
                (guest, log)
            });
            let text = document::written(&runs.collect::<Vec<_>>());
            fs::write(file, text).with_context(|| format!("cannot write {file}"))?;
            true
        }
        _ => bail!("usage: kernels list | run [GUEST…] | small | document FILE"),
    };
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The guests whose names begin with one of these; all of them if there is none.
fn chosen(all: Vec<Guest>, names: &[&str]) -> Result<Vec<Guest>> {
    for name in names {
        if !all.iter().any(|guest| guest.name().starts_with(name)) {
            bail!("no guest's name begins with {name}; `kernels list` names them");
        }
    }
    let begins = |guest: &Guest| names.iter().any(|name| guest.name().starts_with(name));
    Ok(all
        .into_iter()
        .filter(|guest| names.is_empty() || begins(guest))
        .collect())
}

/// The target directory, two above this program.
fn target() -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find the file of this program")?;
    let target = program
        .ancestors()
        .nth(2)
        .context("not in a target directory")?;
    Ok(target.to_owned())
}
