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
    /// Parameters of the kernel.
    pub parameters: &'static str,
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
    parameters: "",
    settings: "",
    tests: &[],
};

/// The other shapes. Each differs from [`DEFAULT`] in one point; processors of different
/// nodes have sockets of their own, or the kernel warns that they share a cache.
pub const SHAPES: &[Shape] = &[
    Shape {
        name: "cpu-1",
        about: "1 processor",
        options: "-smp 1 -m 2048",
        tests: &[
            "mounts/mount",
            "tables/element_values",
            "alone/counts",
            "tables/slabs",
            "tables/tasks",
        ],
        ..DEFAULT
    },
    Shape {
        name: "cpu-8-of-64",
        about: "8 processors of 64 possible",
        // On several threads the emulator lets 8 processors run code while another
        // patches it, and the kernel dies of the int3 that is there meanwhile.
        options: "-accel tcg,thread=single -smp 8 -m 2048",
        parameters: "possible_cpus=64",
        tests: &[
            "mounts/mount",
            "tables/element_values",
            "tables/slabs",
            "alone/counts",
            "tables/tasks",
        ],
        ..DEFAULT
    },
    Shape {
        name: "nodes-2",
        about: "2 memory nodes",
        options: "-smp 2,sockets=2 -m 2048 \
            -object memory-backend-ram,id=m0,size=1024M -numa node,memdev=m0,cpus=0 \
            -object memory-backend-ram,id=m1,size=1024M -numa node,memdev=m1,cpus=1",
        tests: &[
            "mounts/mount",
            "tables/slabs",
            "tables/tasks",
            "tables/processes",
            "tables/vmas",
        ],
        ..DEFAULT
    },
    Shape {
        name: "nodes-4",
        about: "4 memory nodes, of which 2 have processors",
        options: "-smp 2,sockets=2 -m 2048 \
            -object memory-backend-ram,id=m0,size=512M -numa node,memdev=m0,cpus=0 \
            -object memory-backend-ram,id=m1,size=512M -numa node,memdev=m1,cpus=1 \
            -object memory-backend-ram,id=m2,size=512M -numa node,memdev=m2 \
            -object memory-backend-ram,id=m3,size=512M -numa node,memdev=m3",
        tests: &[
            "mounts/mount",
            "tables/slabs",
            "alone/counts",
            "tables/tasks",
            "tables/vmas",
        ],
        ..DEFAULT
    },
    Shape {
        name: "memory-512",
        about: "512 MiB of memory",
        options: "-smp 2 -m 512",
        tests: &[
            "mounts/mount",
            "tables/slabs",
            "tables/tasks",
            "tables/element_values",
            "tables/vmas",
        ],
        ..DEFAULT
    },
    Shape {
        name: "cgroup-v1",
        about: "controllers in cgroup v1, cgroup v2 beside them",
        settings: "cgroup=v1",
        tests: &[
            "mounts/mount",
            "tables/cgroups",
            "tables/tasks",
            "tables/sockets",
            "tables/tcp",
        ],
        ..DEFAULT
    },
    Shape {
        name: "lockdown-integrity",
        about: "lockdown=integrity",
        settings: "lockdown=integrity",
        tests: &[
            "kernel/lockdown",
            "mounts/mount",
            "tables/tasks",
            "tables/slabs",
            "tables/ksyms",
        ],
        ..DEFAULT
    },
    Shape {
        name: "lockdown-confidentiality",
        about: "lockdown=confidentiality; programs cannot read kernel memory, so that other tests have no subject",
        settings: "lockdown=confidentiality",
        tests: &["kernel/lockdown"],
        ..DEFAULT
    },
    Shape {
        name: "kptr-restrict-2",
        about: "kernel.kptr_restrict=2",
        settings: "kptr_restrict=2",
        tests: &[
            "mounts/mount",
            "tables/ksyms",
            "tables/tasks",
            "access/permissions",
        ],
        ..DEFAULT
    },
    Shape {
        name: "hidepid-2",
        about: "/proc mounted with hidepid=2",
        settings: "hidepid=2",
        tests: &[
            "mounts/mount",
            "tables/tasks",
            "tables/processes",
            "tables/pid_directory",
            "access/own",
        ],
        ..DEFAULT
    },
];

/// Tests that run on the machine's own kernel alone, and why: a file of tests, or one
/// test by its path in its binary.
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
    (
        "ctl::user_programs::sequence_numbers_and_bytes_do_not_depend_on_the_reads",
        "reads 250,000 bytes one at a time, for minutes under emulation",
    ),
];

/// Folders whose tests run on each kernel, and files besides: every table and format, and
/// each feature that depends on the kernel.
const EVERYWHERE: &[&str] = &[
    "mounts/mount",
    "kernel/",
    "tables/",
    "alone/counts",
    "output/text_mode",
    "ctl/user_programs",
    "ctl/user_pins",
    "output/formats",
];

/// Those of them that begin, because they say most about a kernel.
const FIRST: &[&str] = &[
    "mounts/mount",
    "kernel/lockdown",
    "tables/tasks",
    "tables/tcp",
    "tables/slabs",
    "tables/files",
    "tables/ksyms",
    "tables/cgroups",
    "tables/maps",
    "tables/element_values",
    "alone/counts",
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

/// Which tests a guest runs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Set {
    /// Those of [`SMALL`].
    Few,
    /// Those that the guest's shape names.
    OfShape,
    /// Those of [`EVERYWHERE`].
    Tables,
    /// All but those that are [`LEFT_OUT`].
    All,
}

impl Set {
    /// Its name, a word.
    pub fn name(self) -> &'static str {
        match self {
            Set::Few => "few",
            Set::OfShape => "shape",
            Set::Tables => "tables",
            Set::All => "all",
        }
    }

    /// What it consists of.
    pub fn about(self) -> &'static str {
        match self {
            Set::Few => "a few tables",
            Set::OfShape => "what depends on the shape",
            Set::Tables => "every table and format, and each feature that depends on the kernel",
            Set::All => "all tests, but for those at the end of this document",
        }
    }

    /// The seconds after which a guest begins no more tests.
    fn limit(self) -> u32 {
        match self {
            Set::Few | Set::OfShape => 900,
            Set::Tables => 1800,
            Set::All => 5400,
        }
    }
}

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

/// Whether tests are of [`Set::Tables`].
fn is_everywhere(name: &str) -> bool {
    EVERYWHERE.iter().any(|part| match part.ends_with('/') {
        true => name.starts_with(part),
        false => name == *part,
    })
}

/// The single tests that guests leave out.
pub fn skipped() -> impl Iterator<Item = &'static str> {
    let names = LEFT_OUT.iter().map(|(name, _)| *name);
    names.filter(|name| name.contains("::"))
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
    names.push("iterfs_bpf-unit".into());
    names.sort();
    let first = |name: &String| {
        let listed = FIRST.iter().position(|other| other == name);
        let rest = usize::from(!is_everywhere(name));
        listed.unwrap_or(FIRST.len() + rest)
    };
    names.sort_by_key(first);
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
        let folder = |name: &str| match name.starts_with("alone/") {
            true => tests.clone(),
            false => tests.join("together"),
        };
        let whole = left_out.clone().filter(|name| !name.contains("::"));
        for name in FIRST.iter().chain(SMALL).chain(shapes).chain(whole) {
            let found = folder(name).join(format!("{name}.rs")).is_file();
            assert!(found, "no file of tests {name}");
        }
        for name in EVERYWHERE.iter().filter(|name| name.ends_with('/')) {
            assert!(
                folder(name).join(name).is_dir(),
                "no folder of tests {name}"
            );
        }
        for test in left_out.filter(|name| name.contains("::")) {
            let (module, test) = test.rsplit_once("::").unwrap();
            let file = format!("{}.rs", module.replace("::", "/"));
            let text = fs::read_to_string(folder(&file).join(&file)).unwrap();
            assert!(text.contains(&format!("fn {test}()")), "no test {test}");
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
        assert_eq!(all[0], FIRST[0]);
        for name in EVERYWHERE.iter().filter(|name| !name.ends_with('/')) {
            assert!(all.iter().any(|other| other == name), "{name}");
        }
    }
}
