//! The kernels and the kinds of machines that are tried.

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
    /// The difference from the usual machine.
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
        // All 64 are there, because Linux takes no processor for possible that is not, except
        // under hypervisors that it knows. On several threads the emulator lets 8 processors
        // run code while another patches it, and the kernel dies of the int3 that is there
        // meanwhile.
        options: "-accel tcg,thread=single -smp 64 -m 2048",
        parameters: "maxcpus=8",
        tests: &[
            "mounts/mount",
            "tables/progs",
            "tables/element_values",
            "ctl/user_programs",
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
