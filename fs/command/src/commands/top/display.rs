//! The table on a terminal, and the keys.

use super::reading::{Read, Reading};
use super::screen::Screen;
use super::table::{Order, Rates, Table, clipped, line};
use anyhow::{Context, Result};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The longest time that a finished pass waits to be drawn.
const PATIENCE: Duration = Duration::from_millis(50);

/// Lines of the screen that show no row: the title and the header.
const ABOVE: usize = 2;

/// The state of the display.
struct Display {
    reading: Arc<Reading>,
    table: Table,
    order: Order,
    /// The first row shown.
    first: usize,
    passes: u64,
}

/// The effect of a key.
#[derive(Debug, PartialEq)]
enum Effect {
    Quit,
    Redraw,
    Nothing,
}

/// Shows tables until the user quits, or for a number of passes.
///
/// # Errors
/// The table cannot be read, or the terminal cannot be used.
pub(super) fn run(reading: Reading, passes: Option<u64>) -> Result<()> {
    let reading = Arc::new(reading);
    // Before the terminal is taken, so that an error is seen.
    let first = reading.read()?;
    let mut rates = Rates::default();
    let mut display = Display::new(Arc::clone(&reading), rates.table(&reading, first));
    let screen = Screen::take()?;
    let mut next = Instant::now() + reading.delay;
    let mut pass: Option<Receiver<Result<Read>>> = None;
    display.draw(&screen)?;
    while passes.is_none_or(|most| display.passes < most) {
        if pass.is_none() && Instant::now() >= next {
            next = Instant::now() + reading.delay;
            pass = Some(start(&reading)?);
        }
        if let Some(running) = &pass {
            match running.try_recv() {
                Ok(read) => {
                    pass = None;
                    display.show(rates.table(&reading, read?));
                    display.draw(&screen)?;
                    continue;
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => anyhow::bail!("the thread that reads has died"),
            }
        }
        let wait = match pass {
            Some(_) => PATIENCE,
            None => next.saturating_duration_since(Instant::now()),
        };
        let is_there = event::poll(wait).context("cannot read from the terminal")?;
        if !is_there {
            continue;
        }
        let effect = match event::read().context("cannot read from the terminal")? {
            Event::Key(key) if key.kind != KeyEventKind::Release => display.pressed(key, &screen),
            Event::Resize(..) => Effect::Redraw,
            _ => Effect::Nothing,
        };
        match effect {
            Effect::Quit => break,
            Effect::Redraw => display.draw(&screen)?,
            Effect::Nothing => {}
        }
    }
    Ok(())
}

/// Reads the table in a thread of its own, because a long pass must not hold up the keys.
fn start(reading: &Arc<Reading>) -> Result<Receiver<Result<Read>>> {
    let (sender, receiver) = channel();
    let reading = Arc::clone(reading);
    thread::Builder::new()
        .name("pass".into())
        // The display may have ended.
        .spawn(move || drop(sender.send(reading.read())))
        .context("cannot start a thread")?;
    Ok(receiver)
}

impl Display {
    fn new(reading: Arc<Reading>, table: Table) -> Display {
        let order = match table.first_rate {
            Some(column) if !reading.ordered => Order::Largest(column),
            _ => Order::AsRead,
        };
        let mut display = Display {
            reading,
            table: Table::default(),
            order,
            first: 0,
            passes: 0,
        };
        display.show(table);
        display
    }

    fn show(&mut self, mut table: Table) {
        table.sort(self.order);
        self.table = table;
        self.passes += 1;
    }

    fn draw(&mut self, screen: &Screen) -> Result<()> {
        let (width, height) = screen.size();
        let room = height.saturating_sub(ABOVE);
        self.first = self.first.min(self.table.rows.len().saturating_sub(room));
        let rows = self.table.rows.iter().skip(self.first).take(room);
        let rows: Vec<_> = rows.cloned().collect();
        let widths = self.table.widths(&rows);
        let mut lines = vec![self.title(), self.table.header_line(&widths)];
        lines.extend(rows.iter().map(|row| line(row, &widths)));
        let lines: Vec<_> = lines.iter().map(|line| clipped(line, width)).collect();
        let lines = &lines[..lines.len().min(height)];
        screen
            .draw(lines, 1)
            .context("cannot write to the terminal")
    }

    fn title(&self) -> String {
        let (rows, delay) = (self.table.rows.len(), self.reading.delay);
        let name = |column: usize| self.table.header.get(column).map_or("", |name| name);
        let order = match self.order {
            Order::AsRead => String::new(),
            Order::Largest(column) => format!(", largest {} first", name(column)),
            Order::Smallest(column) => format!(", smallest {} first", name(column)),
        };
        let title = &self.reading.title;
        format!(
            "{title}: {rows} rows every {delay:?}{order} (q: quit, arrows: sort and scroll, r: reverse)"
        )
    }

    fn pressed(&mut self, key: KeyEvent, screen: &Screen) -> Effect {
        let page = screen.size().1.saturating_sub(ABOVE).max(1);
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c' | 'd') => Effect::Quit,
                KeyCode::Char('l') => Effect::Redraw,
                _ => Effect::Nothing,
            };
        }
        match key.code {
            KeyCode::Char('q') => return Effect::Quit,
            KeyCode::Left | KeyCode::Char('<') => self.select(false),
            KeyCode::Right | KeyCode::Char('>') => self.select(true),
            KeyCode::Char('r') => self.reverse(),
            KeyCode::Up => self.first = self.first.saturating_sub(1),
            KeyCode::Down => self.first += 1,
            KeyCode::PageUp => self.first = self.first.saturating_sub(page),
            KeyCode::PageDown => self.first += page,
            KeyCode::Home => self.first = 0,
            KeyCode::End => self.first = usize::MAX,
            _ => return Effect::Nothing,
        }
        Effect::Redraw
    }

    /// Sorts by the next or the previous column.
    fn select(&mut self, next: bool) {
        let columns = self.table.header.len().max(1);
        let column = match (self.order, next) {
            (Order::AsRead, true) => 0,
            (Order::AsRead, false) => columns - 1,
            (Order::Largest(column) | Order::Smallest(column), true) => (column + 1) % columns,
            (Order::Largest(column) | Order::Smallest(column), false) => {
                (column + columns - 1) % columns
            }
        };
        self.order = match self.order {
            Order::Smallest(_) => Order::Smallest(column),
            _ => Order::Largest(column),
        };
        self.table.sort(self.order);
    }

    fn reverse(&mut self) {
        self.order = match self.order {
            Order::Largest(column) => Order::Smallest(column),
            Order::Smallest(column) => Order::Largest(column),
            Order::AsRead => Order::AsRead,
        };
        self.table.sort(self.order);
    }
}
