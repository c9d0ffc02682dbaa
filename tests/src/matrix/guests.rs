//! Which machines are tried: kernels, shapes, and the tests that run in each.

use std::fs;
use std::io;
use std::path::Path;

/// A kernel, by the Debian suite that has it.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Debian's name of the suite.
    pub suite: &'static str,
    /// Why this one.
    pub reason: &'static str,
}

/// The kernels, oldest first.
pub const KERNELS: &[Kernel] = &[
    Kernel {
        suite: "bullseye",
        reason: "the oldest LTS line that iterfs supports; FUSE is a module",
    },
    Kernel {
        suite: "bookworm",
        reason: "an LTS line; FUSE is a module",
    },
    Kernel {
        suite: "trixie",
        reason: "an LTS line",
    },
    Kernel {
        suite: "sid",
        reason: "the newest of Debian unstable",
    },
    Kernel {
        suite: "experimental",
        reason: "the newest of Debian experimental",
    },
    Kernel {
        suite: "trixie-backports",
        reason: "the newest release that Debian has",
    },
];

/// The kernel that runs in every shape.
pub const SHAPED: &str = "trixie-backports";

/// A kind of machine.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Its name, a word.
    pub name: &'static str,
    /// What is special about it.
    pub about: &'static str,
    /// Options of the emulator.
    pub options: &'static str,
    /// Settings that tests/vm/guest makes.
    pub settings: &'static str,
    /// The files of tests to run there.
    pub tests: &'static [&'static str],
}

/// The shape in which every kernel runs.
pub const DEFAULT: Shape = Shape {
    name: "default",
    about: "2 processors, 1 memory node, 2 GiB, cgroup v2 alone",
    options: "-smp 2 -m 2048",
    settings: "",
    tests: SHAPED_TESTS,
};

/// The other shapes. Each differs from [`DEFAULT`] in one point.
pub const SHAPES: &[Shape] = &[
    Shape {
        name: "cpu-1",
        about: "1 processor",
        options: "-smp 1 -m 2048",
        settings: "",
        tests: SHAPED_TESTS,
    },
    Shape {
        name: "cpu-8-of-64",
        about: "8 processors of 64 possible",
        options: "-smp 8,maxcpus=64 -m 2048",
        settings: "",
        tests: SHAPED_TESTS,
    },
    Shape {
        name: "nodes-2",
        about: "2 memory nodes",
        options: "-smp 2 -m 2048 \
            -object memory-backend-ram,id=m0,size=1024M -numa node,memdev=m0,cpus=0 \
            -object memory-backend-ram,id=m1,size=1024M -numa node,memdev=m1,cpus=1",
        settings: "",
        tests: SHAPED_TESTS,
    },
    Shape {
        name: "nodes-4",
        about: "4 memory nodes, of which 2 have processors",
        options: "-smp 2 -m 2048 \
            -object memory-backend-ram,id=m0,size=512M -numa node,memdev=m0,cpus=0 \
            -object memory-backend-ram,id=m1,size=512M -numa node,memdev=m1,cpus=1 \
            -object memory-backend-ram,id=m2,size=512M -numa node,memdev=m2 \
            -object memory-backend-ram,id=m3,size=512M -numa node,memdev=m3",
        settings: "",
        tests: SHAPED_TESTS,
    },
    Shape {
        name: "memory-512",
        about: "512 MiB of memory",
        options: "-smp 2 -m 512",
        settings: "",
        tests: SHAPED_TESTS,
    },
    Shape {
        name: "cgroup-v1",
        about: "controllers in cgroup v1, cgroup v2 beside them",
        options: "-smp 2 -m 2048",
        settings: "cgroup=v1",
        tests: SHAPED_TESTS,
    },
    Shape {
        name: "lockdown-integrity",
        about: "lockdown=integrity",
        options: "-smp 2 -m 2048",
        settings: "lockdown=integrity",
        tests: SHAPED_TESTS,
    },
    Shape {
        name: "lockdown-confidentiality",
        about: "lockdown=confidentiality; programs cannot read kernel memory, so that other tests have no subject",
        options: "-smp 2 -m 2048",
        settings: "lockdown=confidentiality",
        tests: &["kernel/lockdown"],
    },
    Shape {
        name: "kptr-restrict-2",
        about: "kernel.kptr_restrict=2",
        options: "-smp 2 -m 2048",
        settings: "kptr_restrict=2",
        tests: SHAPED_TESTS,
    },
    Shape {
        name: "hidepid-2",
        about: "/proc mounted with hidepid=2",
        options: "-smp 2 -m 2048",
        settings: "hidepid=2",
        tests: SHAPED_TESTS,
    },
];

/// Files of tests that run on the machine's own kernel alone, and why.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("docs/bringing", "compiles with clang, which no guest has"),
    ("reading/tools", "needs Node.js, which no guest has"),
    (
        "docs/manual",
        "reads the manual pages; no kernel takes part",
    ),
    (
        "docs/promises",
        "reads documents and sources; no kernel takes part",
    ),
    (
        "alone/load",
        "measures under load, which an emulator distorts",
    ),
    (
        "alone/control_leaks",
        "repeats commands by the thousand, for minutes under emulation",
    ),
];

/// Files of tests that run in each shape: those whose tables or rights depend on
/// processors, memory, cgroups or what the kernel hides.
pub const SHAPED_TESTS: &[&str] = &[
    "mounts/mount",
    "kernel/lockdown",
    "tables/tasks",
    "tables/processes",
    "tables/files",
    "tables/vmas",
    "tables/tcp",
    "tables/sockets",
    "tables/cgroups",
    "tables/elements",
    "tables/element_values",
    "ctl/brought",
    "tables/slabs",
    "tables/ksyms",
    "alone/counts",
    "output/text_mode",
    "access/permissions",
    "tables/summary_tasks",
];

/// Files of tests of the run that .ci/run makes. That every program loads is asked of
/// each guest anyway.
pub const SMALL: &[&str] = &[
    "mounts/mount",
    "kernel/lockdown",
    "tables/tasks",
    "tables/netlink",
    "tables/links",
];

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
    /// How long all of that may take, in seconds.
    pub limit: u32,
}

impl Guest {
    /// Its name, which is its log's.
    pub fn name(&self) -> String {
        format!("{}.{}", self.kernel.suite, self.shape.name)
    }
}

/// The guests of a run, in the order in which they are booted.
///
/// # Errors
/// If the checkout has no tests.
pub fn guests(extent: Extent, checkout: &Path) -> io::Result<Vec<Guest>> {
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let newest = KERNELS[KERNELS.len() - 1];
    let guest = |kernel: &Kernel, shape: &Shape, tests, limit| Guest {
        kernel: *kernel,
        shape: *shape,
        tests,
        limit,
    };
    if extent == Extent::Small {
        let ends = [KERNELS[0], newest];
        return Ok(ends
            .iter()
            .map(|kernel| guest(kernel, &DEFAULT, names(SMALL), 900))
            .collect());
    }
    let every = every_test(checkout)?;
    let kernels = KERNELS
        .iter()
        .map(|kernel| guest(kernel, &DEFAULT, every.clone(), 5400));
    let shaped = KERNELS.iter().filter(|kernel| kernel.suite == SHAPED);
    let shapes = shaped.flat_map(|kernel| {
        let shapes = SHAPES.iter();
        shapes.map(move |shape| guest(kernel, shape, names(shape.tests), 1800))
    });
    Ok(kernels.chain(shapes).collect())
}

/// Every file of tests that guests can run: those of one table first, which say most
/// about a kernel.
fn every_test(checkout: &Path) -> io::Result<Vec<String>> {
    let tests = checkout.join("tests/tests");
    let mut names = files(&tests.join("alone"), "alone")?;
    for entry in fs::read_dir(tests.join("together"))? {
        let path = entry?.path();
        if path.is_dir() {
            let folder = path.file_name().unwrap_or_default().to_string_lossy();
            names.append(&mut files(&path, &folder)?);
        }
    }
    names.retain(|name| LEFT_OUT.iter().all(|(left_out, _)| left_out != name));
    names.sort();
    let first = |name: &String| {
        let ordered = SHAPED_TESTS.iter().chain(SMALL);
        ordered
            .clone()
            .position(|other| other == name)
            .unwrap_or(usize::MAX)
    };
    names.sort_by_key(first);
    names.push("iterfs_bpf-unit".into());
    Ok(names)
}

/// The files of tests in a folder, as guests name them.
fn files(directory: &Path, folder: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
            && name != "main"
        {
            names.push(format!("{folder}/{name}"));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_names_files_of_tests() {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let shapes = SHAPES.iter().flat_map(|shape| shape.tests);
        let left_out = LEFT_OUT.iter().map(|(name, _)| name);
        for name in SHAPED_TESTS
            .iter()
            .chain(SMALL)
            .chain(shapes)
            .chain(left_out)
        {
            let file = format!("{name}.rs");
            let found = tests.join(&file).is_file() || tests.join("together").join(&file).is_file();
            assert!(found, "no file of tests {name}");
        }
    }

    #[test]
    fn a_whole_run_has_each_file_of_tests_once() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let all = every_test(&checkout).unwrap();
        for name in ["alone/load", "docs/manual"] {
            assert!(!all.contains(&name.to_owned()), "{name}");
        }
        for name in ["alone/counts", "tables/tasks", "kernel/lockdown"] {
            let times = all.iter().filter(|other| *other == name).count();
            assert_eq!(times, 1, "{name}");
        }
        assert_eq!(all[0], SHAPED_TESTS[0]);
    }
}
