//! The guests of a run: which kernels are booted on which machines, and with which tests.

use super::sets::{SMALL, Set, every_test, is_everywhere};
use super::shapes::{DEFAULT, KERNELS, Kernel, SHAPED, SHAPES, Shape};
use std::io;
use std::path::Path;

/// How much is run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// Every kernel, and every shape of one.
    Whole,
    /// The oldest and the newest kernel, with few tests.
    Small,
}

/// A machine to boot.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its kernel.
    pub kernel: Kernel,
    /// Its shape.
    pub shape: Shape,
    /// What to run there, in this order: files of tests by their paths below
    /// tests/tests, such as `tables/tasks` in the binary `together` and `alone/load` in the
    /// binary `alone`; or a library's unit tests, as `iterfs_bpf-unit`.
    pub tests: Vec<String>,
    /// Which of the sets that is.
    pub set: Set,
}

impl Guest {
    /// Its name, which is its log's.
    pub fn name(&self) -> String {
        format!("{}.{}", self.kernel.suite, self.shape.name)
    }

    /// The seconds after which it begins no more tests.
    pub fn limit(&self) -> u32 {
        self.set.limit()
    }
}

/// The guests of a run, in the order in which they are booted.
///
/// # Errors
/// If the checkout has no tests.
pub fn guests(extent: Extent, checkout: &Path) -> io::Result<Vec<Guest>> {
    let every = every_test(checkout)?;
    let guest = |kernel: &Kernel, shape: &Shape, set: Set| {
        let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        let tests = match set {
            Set::Few => names(SMALL),
            Set::OfShape => names(shape.tests),
            Set::Tables => every
                .iter()
                .filter(|name| is_everywhere(name))
                .cloned()
                .collect(),
            Set::All => every.clone(),
        };
        Guest {
            kernel: *kernel,
            shape: *shape,
            tests,
            set,
        }
    };
    if extent == Extent::Small {
        let ends = [KERNELS[0], KERNELS[KERNELS.len() - 1]];
        let small = ends.iter().map(|kernel| guest(kernel, &DEFAULT, Set::Few));
        return Ok(small.collect());
    }
    let set = |kernel: &Kernel| match kernel.suite {
        SHAPED => Set::All,
        _ => Set::Tables,
    };
    let kernels = KERNELS
        .iter()
        .map(|kernel| guest(kernel, &DEFAULT, set(kernel)));
    let shaped = KERNELS.iter().filter(|kernel| kernel.suite == SHAPED);
    let shapes = shaped.flat_map(|kernel| {
        let shapes = SHAPES.iter();
        shapes.map(move |shape| guest(kernel, shape, Set::OfShape))
    });
    Ok(kernels.chain(shapes).collect())
}
