//! The figures: printed as they come, and kept as JSON.

use super::cost::Cost;
use super::machine::Machine;
use super::spread::Spread;
use serde::{Deserialize, Serialize};

/// All results of one run.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// Two sides compared.
    pub ratios: Vec<Ratio>,
    /// Single figures.
    pub figures: Vec<Figure>,
    /// Rows that could not be measured, with the reason.
    pub missing: Vec<Missing>,
}

/// Two sides that did the same.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Ratio {
    /// The row's name, for `ONLY`.
    pub name: String,
    /// The work that was measured.
    pub work: String,
    /// The highest acceptable ratio of ours to theirs, if there is a goal.
    pub goal: Option<f64>,
    /// The ratio of the medians of the wall times.
    pub median: f64,
    /// The same of each pair of runs.
    pub pairs: Spread,
    /// Ours.
    pub ours: Times,
    /// The other side's.
    pub theirs: Times,
}

/// The times of a side, in milliseconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Times {
    /// Its name.
    pub name: String,
    /// From beginning to end.
    pub wall: Spread,
    /// User and system time, the daemon's included.
    pub cpu: Spread,
}

/// A figure by itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Figure {
    /// The name of the row that it belongs to, for `ONLY`.
    pub name: String,
    /// A description.
    pub what: String,
    /// The highest acceptable value, if there is a goal.
    pub goal: Option<f64>,
    /// Its unit.
    pub unit: String,
    /// The values.
    pub value: Spread,
}

/// A row that could not be measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Missing {
    /// The row's name.
    pub name: String,
    /// Why not.
    pub why: String,
}

impl Times {
    /// The times of a side's runs.
    pub fn of(name: &str, costs: &[Cost]) -> Times {
        let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        Times {
            name: name.into(),
            wall: Spread::of(costs.iter().map(|cost| milliseconds(cost.wall))),
            cpu: Spread::of(costs.iter().map(|cost| milliseconds(cost.cpu))),
        }
    }
}

impl Ratio {
    /// The ratio of the medians of the processor times, which others on the machine
    /// change less.
    pub fn of_processors(&self) -> f64 {
        self.ours.cpu.median / self.theirs.cpu.median
    }

    /// Whether the machine was the same throughout: the ratio of the medians is among
    /// the middle half of the pairs', or less than a tenth off.
    pub fn is_steady(&self) -> bool {
        (self.pairs.lower * 0.9..=self.pairs.upper * 1.1).contains(&self.median)
    }

    /// Whether the goal is met; none without a goal.
    pub fn met(&self) -> Option<bool> {
        self.goal.map(|goal| self.median <= goal)
    }
}

impl Figure {
    /// Whether the goal is met; none without a goal.
    pub fn met(&self) -> Option<bool> {
        self.goal.map(|goal| self.value.median <= goal)
    }
}

impl Report {
    /// Adds a comparison, and shows it.
    pub fn ratio(&mut self, ratio: Ratio) {
        println!("{}: {}", ratio.name, ratio.work);
        for side in [&ratio.ours, &ratio.theirs] {
            println!(
                "  {:<28} {:>10.3} ms ({:.3} to {:.3}), processors {:.3} ms, {} runs",
                side.name,
                side.wall.median,
                side.wall.min,
                side.wall.max,
                side.cpu.median,
                side.wall.runs
            );
        }
        println!(
            "  ratio {:.4}, quartiles {:.4} to {:.4}, all {:.4} to {:.4}; of processor times {:.4}{}",
            ratio.median,
            ratio.pairs.lower,
            ratio.pairs.upper,
            ratio.pairs.min,
            ratio.pairs.max,
            ratio.of_processors(),
            verdict(ratio.goal, ratio.met())
        );
        if !ratio.is_steady() {
            println!("  the machine was not the same throughout: look at the quartiles");
        }
        self.ratios.push(ratio);
    }

    /// Adds a figure, and shows it.
    pub fn figure(&mut self, figure: Figure) {
        println!(
            "{}: {}: {:.3} {} ({:.3} to {:.3}){}",
            figure.name,
            figure.what,
            figure.value.median,
            figure.unit,
            figure.value.min,
            figure.value.max,
            verdict(figure.goal, figure.met())
        );
        self.figures.push(figure);
    }

    /// Notes what could not be measured, and shows it.
    pub fn missing(&mut self, name: &str, why: impl Into<String>) {
        let why = why.into();
        println!("{name}: not measured: {why}");
        self.missing.push(Missing {
            name: name.into(),
            why,
        });
    }
}

fn verdict(goal: Option<f64>, met: Option<bool>) -> String {
    match (goal, met) {
        (Some(goal), Some(true)) => format!("; goal {goal:.4}: met"),
        (Some(goal), _) => format!("; goal {goal:.4}: MISSED"),
        (None, _) => String::new(),
    }
}
