//! Statistics over many runs.

use serde::{Deserialize, Serialize};

/// Where the values of several runs lie.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Spread {
    /// How many runs.
    pub runs: usize,
    /// The least.
    pub min: f64,
    /// A quarter of the values is below this.
    pub lower: f64,
    /// The middle.
    pub median: f64,
    /// A quarter of the values is above this.
    pub upper: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// The spread of some values, of which there is at least one.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * (values.len() - 1) as f64;
            let (low, high) = (place.floor() as usize, place.ceil() as usize);
            values[low] + (values[high] - values[low]) * place.fract()
        };
        Spread {
            runs: values.len(),
            min: at(0.0),
            lower: at(0.25),
            median: at(0.5),
            upper: at(0.75),
            max: at(1.0),
        }
    }

    /// The same in another unit.
    pub fn times(self, factor: f64) -> Spread {
        Spread {
            runs: self.runs,
            min: self.min * factor,
            lower: self.lower * factor,
            median: self.median * factor,
            upper: self.upper * factor,
            max: self.max * factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn quartiles_lie_between_values() {
        let spread = Spread::of([4.0, 1.0, 2.0, 3.0]);
        assert_eq!((spread.min, spread.max, spread.runs), (1.0, 4.0, 4));
        assert_eq!(
            (spread.lower, spread.median, spread.upper),
            (1.75, 2.5, 3.25)
        );
        assert_eq!(Spread::of([7.0]).median, 7.0);
    }
}
