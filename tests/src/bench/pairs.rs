//! Running sides in turn: a b a b …, so that what slows the machine slows both.

use super::cost::Cost;
use anyhow::{Context, Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Runs of each side that count, however long they take.
const FEWEST: usize = 3;

/// One way to do a piece of work.
pub struct Side<'a> {
    /// Its name.
    pub name: String,
    run: Box<dyn FnMut() -> Result<Cost> + 'a>,
}

impl<'a> Side<'a> {
    /// A side by its name, and what does it once.
    pub fn new(name: impl Into<String>, run: impl FnMut() -> Result<Cost> + 'a) -> Side<'a> {
        Side {
            name: name.into(),
            run: Box::new(run),
        }
    }
}

/// How often sides run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Runs of each, at most.
    pub rounds: usize,
    /// No new round begins after this.
    pub budget: Duration,
}

impl Plan {
    /// A plan.
    pub const fn new(rounds: usize, seconds: u64) -> Plan {
        Plan {
            rounds,
            budget: Duration::from_secs(seconds),
        }
    }
}

/// The cost of each run of each side, after one that warms up.
///
/// # Errors
/// If a side fails, or the run is to stop.
pub fn alternate(sides: &mut [Side<'_>], plan: Plan, stop: &AtomicBool) -> Result<Vec<Vec<Cost>>> {
    let start = Instant::now();
    let mut costs = vec![Vec::new(); sides.len()];
    for round in 0..=plan.rounds {
        if round > FEWEST && start.elapsed() > plan.budget {
            break;
        }
        for (side, costs) in sides.iter_mut().zip(&mut costs) {
            if stop.load(Ordering::Relaxed) {
                bail!("interrupted");
            }
            let cost = (side.run)().with_context(|| side.name.clone())?;
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    Ok(costs)
}
