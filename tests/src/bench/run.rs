//! One run of the bench: which rows are wanted, and what came of them.

use super::machine::Machine;
use super::pairs::{Plan, Side, alternate};
use super::report::{Figure, Ratio, Report, Times};
use super::spread::Spread;
use crate::fixtures::mounted::Mounted;
use anyhow::{Result, bail};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The run.
pub struct Run {
    only: Vec<String>,
    stop: Arc<AtomicBool>,
    /// Where peers are pinned.
    pub pins: Mounted,
    /// The results so far.
    pub report: Report,
}

impl Run {
    /// A run of the rows whose names begin with one of these, or of all. It ends
    /// when `stop` is set.
    ///
    /// # Errors
    /// If there is no place to pin peers.
    pub fn new(only: Vec<String>, stop: Arc<AtomicBool>) -> Result<Run> {
        Ok(Run {
            only,
            stop,
            pins: Mounted::bpffs(),
            report: Report {
                machine: Machine::here(),
                ..Report::default()
            },
        })
    }

    /// Whether one of these rows is wanted.
    pub fn wants(&self, names: &[&str]) -> bool {
        let wanted = |name: &str| self.only.iter().any(|only| name.starts_with(only.as_str()));
        self.only.is_empty() || names.iter().any(|name| wanted(name))
    }

    /// Fails if somebody wants an end.
    ///
    /// # Errors
    /// If the run is to stop.
    pub fn go_on(&self) -> Result<()> {
        if self.is_stopped() {
            bail!("interrupted");
        }
        Ok(())
    }

    /// Whether somebody wants an end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Compares our side with another.
    ///
    /// # Errors
    /// If a side fails.
    pub fn compare(
        &mut self,
        name: &str,
        work: &str,
        goal: Option<f64>,
        plan: Plan,
        [ours, theirs]: [Side<'_>; 2],
    ) -> Result<()> {
        if !self.wants(&[name]) {
            return Ok(());
        }
        let mut sides = [ours, theirs];
        let costs = alternate(&mut sides, plan, &self.stop)?;
        let [ours, theirs] = [0, 1].map(|side| Times::of(&sides[side].name, &costs[side]));
        let pairs = costs[0].iter().zip(&costs[1]);
        self.report.ratio(Ratio {
            name: name.into(),
            work: work.into(),
            goal,
            median: ours.wall.median / theirs.wall.median,
            pairs: Spread::of(pairs.map(|(a, b)| a.wall.as_secs_f64() / b.wall.as_secs_f64())),
            ours,
            theirs,
        });
        Ok(())
    }

    /// The times of sides that are run in turn, to make figures of.
    ///
    /// # Errors
    /// If a side fails.
    pub fn times(&self, mut sides: Vec<Side<'_>>, plan: Plan) -> Result<Vec<Times>> {
        let costs = alternate(&mut sides, plan, &self.stop)?;
        let times = sides.iter().zip(&costs);
        Ok(times
            .map(|(side, costs)| Times::of(&side.name, costs))
            .collect())
    }

    /// Notes a figure.
    pub fn figure(
        &mut self,
        name: &str,
        what: impl Into<String>,
        goal: Option<f64>,
        unit: &str,
        value: Spread,
    ) {
        self.report.figure(Figure {
            name: name.into(),
            what: what.into(),
            goal,
            unit: unit.into(),
            value,
        });
    }
}
