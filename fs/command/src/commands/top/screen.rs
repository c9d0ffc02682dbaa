//! The terminal, while a table is on it.
//!
//! However the process ends, short of SIGKILL, the terminal is left as it was: after a panic
//! and after signals too.

use anyhow::{Context, Result};
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::execute;
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{self, Write};
use std::panic;
use std::thread;

/// The alternate screen of the terminal, and its input without line editing.
#[derive(Debug)]
pub(super) struct Screen(());

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// The terminal has no raw mode.
    pub(super) fn take() -> Result<Screen> {
        let mut signals =
            Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]).context("cannot wait for signals")?;
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for signal in signals.forever() {
                    restore();
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
            })
            .context("cannot start a thread")?;
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            restore();
            hook(information);
        }));
        terminal::enable_raw_mode().context("cannot use the terminal")?;
        let screen = Screen(());
        execute!(io::stdout(), EnterAlternateScreen, Hide).context("cannot use the terminal")?;
        Ok(screen)
    }

    /// The columns and lines of the terminal.
    pub(super) fn size(&self) -> (usize, usize) {
        let (columns, lines) = terminal::size().unwrap_or((80, 24));
        (columns.into(), lines.into())
    }

    /// Shows lines, each no wider than the terminal, and the line at `marked` in reverse.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn draw(&self, lines: &[&str], marked: usize) -> io::Result<()> {
        // One write, so that the terminal shows no half of it.
        let mut out = Vec::new();
        crossterm::queue!(out, BeginSynchronizedUpdate)?;
        for (index, line) in lines.iter().enumerate() {
            let at = u16::try_from(index).unwrap_or(u16::MAX);
            crossterm::queue!(out, MoveTo(0, at))?;
            if index == marked {
                crossterm::queue!(out, SetAttribute(Attribute::Reverse))?;
            }
            crossterm::queue!(
                out,
                Print(line),
                SetAttribute(Attribute::Reset),
                Clear(ClearType::UntilNewLine)
            )?;
        }
        crossterm::queue!(out, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        let mut terminal = io::stdout().lock();
        terminal.write_all(&out)?;
        terminal.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Leaves the terminal as it was. Best effort: it may be gone.
fn restore() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = terminal::disable_raw_mode();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const LEFT: &str = "\x1b[?1049l";

    /// Not a test of its own: [`a_panic_gives_the_terminal_back`] runs it on a terminal.
    #[test]
    #[ignore = "panics, on purpose"]
    fn panics_on_its_screen() {
        let _screen = Screen::take().unwrap();
        assert!(terminal::is_raw_mode_enabled().unwrap());
        panic!("on purpose");
    }

    #[test]
    fn a_panic_gives_the_terminal_back() {
        let program = std::env::current_exe().unwrap();
        let run = format!(
            "stty -a; {} --ignored --exact --nocapture \
             commands::top::screen::tests::panics_on_its_screen; stty -a",
            program.display()
        );
        // script(1) runs a command on a terminal of its own.
        let mut command = Command::new("script");
        command.args(["--quiet", "--command", &run, "/dev/null"]);
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        let seen = String::from_utf8_lossy(&output.stdout).into_owned();
        let settings: Vec<_> = seen.split("speed ").skip(1).collect();
        assert_eq!(settings.len(), 2, "{seen}");
        let modes = |text: &str| text.split("-parenb").nth(1).unwrap().trim().to_owned();
        assert!(
            modes(settings[0]).starts_with(&modes(settings[1])),
            "{seen}"
        );
        assert!(modes(settings[1]).contains(" icanon"), "{seen}");
        let (before, after) = seen.split_once(LEFT).unwrap();
        assert!(before.contains("\x1b[?1049h"), "{seen}");
        // The message is on the screen that stays.
        assert!(after.contains("on purpose"), "{seen}");
    }
}
