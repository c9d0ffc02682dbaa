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
