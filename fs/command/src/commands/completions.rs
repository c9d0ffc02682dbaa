//! `iterfs completions SHELL`.
//!
//! clap knows the commands and their options. The names of tables, columns and values come from
//! `iterfs complete`, which the scripts in `completions/` call.

use super::output::print;
use crate::cli;
use clap_complete::Shell;
use std::process::ExitCode;

const BASH: &str = include_str!("completions/iterfs.bash");
const FISH: &str = include_str!("completions/iterfs.fish");
const ZSH: &str = include_str!("completions/iterfs.zsh");

/// The function of zsh that completes files, and the one that completes names as well.
const ZSH_FILES: &str = ":_files'";
const ZSH_PATHS: &str = ":_iterfs_paths'";

/// Writes completions for a shell.
pub(crate) fn run(shell: Shell) -> ExitCode {
    print(|out| {
        out.write_all(script(shell).as_bytes())?;
        Ok(ExitCode::SUCCESS)
    })
}

fn script(shell: Shell) -> String {
    let mut generated = Vec::new();
    clap_complete::generate(shell, &mut cli::offered(), "iterfs", &mut generated);
    let generated = String::from_utf8_lossy(&generated).into_owned();
    match shell {
        Shell::Bash => generated + BASH,
        Shell::Fish => generated + FISH,
        Shell::Zsh => zsh(&generated),
        _ => generated,
    }
}

/// The script of zsh is the body of a function, so the function that it calls comes first.
fn zsh(generated: &str) -> String {
    let (first, rest) = generated.split_once('\n').unwrap_or((generated, ""));
    let mut script = format!("{first}\n\n{ZSH}");
    for line in rest.lines() {
        let is_path = line.starts_with("':path -- ") || line.starts_with("'::path -- ");
        match is_path {
            true => script += &line.replace(ZSH_FILES, ZSH_PATHS),
            false => script += line,
        }
        script.push('\n');
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_completed_by_name_in_zsh() {
        let paths = script(Shell::Zsh).matches(ZSH_PATHS).count();
        assert_eq!(paths, 4, "columns, explain, ls and top");
    }
}
