//! Tests that run beside one another, in one process, on as many threads as there are
//! processors. None may change what belongs to the whole process or machine (limits, the
//! working directory, the environment, sysctls), nor load the machine so that others fail:
//! such tests are in `alone`. Descriptors are opened with CLOEXEC, or the processes of other
//! tests inherit them; `fixtures::inherited` passes them on to one.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod access {
    mod containers;
    mod least_privilege;
    mod namespaces;
    mod netns;
    mod own;
    mod own_closed;
    mod own_handed_on;
    mod permissions;
    mod policy;
    mod quota;
    mod ways_in;
}
mod asking {
    mod every;
    mod explained;
    mod in_kernel;
    mod names;
    mod pinned;
    mod rights;
    mod whole;
}
mod command {
    mod complete;
    mod explain;
    mod ls;
    mod top;
}
mod ctl {
    mod control;
    mod hostile_objects;
    mod pins;
    mod program_directory;
    mod updates;
    mod user_pins;
    mod user_programs;
}
mod docs {
    mod asking;
    mod bringing;
    mod manual;
    mod promises;
}
mod kernel {
    mod lockdown;
}
mod mounts {
    mod automount;
    mod command_line;
    mod few_threads;
    mod leftovers;
    mod log;
    mod mount;
    mod mount_ends;
    mod mounting;
}
mod output {
    mod formats;
    mod text_mode;
}
mod reading {
    mod descriptors;
    mod errnos;
    mod interrupts;
    mod sizes;
    mod tools;
}
mod tables {
    mod cgroup_walks;
    mod cgroups;
    mod dmabufs;
    mod element_values;
    mod elements;
    mod files;
    mod ipv6_route;
    mod ksyms;
    mod links;
    mod maps;
    mod netlink;
    mod pid_directory;
    mod processes;
    mod progs;
    mod sk_storage;
    mod slabs;
    mod sockets;
    mod sockmap;
    mod summary;
    mod summary_files;
    mod summary_tasks;
    mod summary_tcp;
    mod tasks;
    mod tcp;
    mod udp;
    mod unix;
    mod vmas;
}

/// A file that is not a module is not compiled: its tests would never run.
#[test]
fn every_file_is_a_module() {
    iterfs_tests::modules::check("together", include_str!("main.rs"));
}
