//! `iterfs check`.

use super::output::print;
use iterfs_bpf::{Kernel, lockdown, probe};
use iterfs_mapping::TableId;
use iterfs_mapping::contract::Tables;
use std::path::Path;
use std::process::ExitCode;

/// A condition that was checked, and what to do if it does not hold.
struct Finding {
    what: &'static str,
    remedy: Option<String>,
}

/// Checks the conditions for a mount, in the order in which a mount needs them.
pub(crate) fn run() -> ExitCode {
    let findings = [root(), namespace(), fuse(), btf(), lockdown(), programs()];
    let undecided = probe::facts().map_or_else(|_| Vec::new(), |facts| facts.undecided);
    print(|out| {
        for Finding { what, remedy } in &findings {
            match remedy {
                None => writeln!(out, "ok   {what}")?,
                Some(remedy) => writeln!(out, "FAIL {what}: {remedy}")?,
            }
        }
        for undecided in &undecided {
            writeln!(out, "warn {undecided}")?;
        }
        if findings.iter().any(|finding| finding.remedy.is_some()) {
            return Ok(ExitCode::FAILURE);
        }
        writeln!(out, "ready: iterfs mount DIR")?;
        Ok(ExitCode::SUCCESS)
    })
}

fn finding(what: &'static str, well: bool, remedy: &str) -> Finding {
    Finding {
        what,
        remedy: (!well).then(|| remedy.into()),
    }
}

fn root() -> Finding {
    let root = rustix::process::geteuid().is_root();
    finding("running as root", root, "run it with sudo")
}

fn namespace() -> Finding {
    let initial = probe::is_in_initial_pid_namespace();
    finding(
        "in the initial pid namespace",
        initial,
        "run it on the host, or in a container that shares the host's pid namespace",
    )
}

fn fuse() -> Finding {
    finding(
        "/dev/fuse exists",
        Path::new("/dev/fuse").exists(),
        "load the module with: modprobe fuse",
    )
}

fn btf() -> Finding {
    finding(
        "the kernel has BTF",
        Path::new("/sys/kernel/btf/vmlinux").exists(),
        "boot a kernel built with CONFIG_DEBUG_INFO_BTF, as in Debian 11, RHEL 8.2, Ubuntu 20.10 and newer",
    )
}

fn lockdown() -> Finding {
    finding(
        "BPF programs may read kernel memory",
        !lockdown::hides_memory(),
        lockdown::REASON,
    )
}

fn programs() -> Finding {
    let tried = Kernel::new().and_then(|kernel| {
        TableId::all()
            .filter(|table| kernel.present(*table))
            .try_for_each(|table| kernel.try_table(table))
    });
    Finding {
        what: "the kernel accepts the BPF programs",
        remedy: tried.err().map(|error| error.to_string()),
    }
}
