//! iterfs names lockdown as the reason on a kernel that is locked down, and on no other.
//!
//! The kernel of this machine is most likely not locked down. `make test-kernels` runs this
//! test in guests that are.

use iterfs_bpf::lockdown;
use iterfs_tests::{Mount, fixtures::programs};
use std::fs;
use std::process::Command;

const FINDING: &str = "BPF programs may read kernel memory";

#[test]
fn check_says_whether_programs_may_read_kernel_memory() {
    let output = Command::new(programs::iterfs())
        .arg("check")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    if lockdown::hides_memory() {
        assert_eq!(output.status.code(), Some(1), "{told}");
        let line = format!("FAIL {FINDING}: {}", lockdown::REASON);
        assert!(told.lines().any(|found| found == line), "{told}");
    } else {
        let line = format!("ok   {FINDING}");
        assert!(told.lines().any(|found| found == line), "{told}");
        assert!(!told.contains("lockdown"), "{told}");
    }
}

/// How it is with each depends on the kernel; what is looked at does not.
#[test]
fn check_lists_its_findings_one_a_line() {
    let check = Command::new(programs::iterfs()).arg("check").output();
    let text = String::from_utf8(check.unwrap().stdout).unwrap();
    let findings = text.lines().filter_map(|line| {
        let finding = line.strip_prefix("ok   ").or(line.strip_prefix("FAIL "))?;
        finding.split(": ").next()
    });
    let findings: Vec<_> = findings.collect();
    insta::assert_snapshot!("findings", findings.join("\n"));
}

#[test]
fn an_open_that_lockdown_refuses_is_logged_with_the_reason() {
    let mount = Mount::new();
    // `tasks` is read by loads that the verifier checks, and by no helper: it still loads.
    let opened = fs::read(mount.path("processes"));
    if lockdown::hides_memory() {
        assert_eq!(opened.unwrap_err().raw_os_error(), Some(libc::EINVAL));
        iterfs_tests::wait::wait_until("the reason is logged", || {
            let log = mount.log();
            log.iter().any(|line| line.contains(lockdown::REASON))
        });
    } else {
        assert!(!opened.unwrap().is_empty());
        assert!(!mount.log().iter().any(|line| line.contains("lockdown")));
    }
}
