//! Boots the guests, one after another.

use super::guests::Guest;
use super::log::{self, Log};
use super::sets::skipped;
use super::shapes::DEFAULT;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Where a run leaves its logs, below the target directory.
pub const LOGS: &str = "matrix";

/// Names the seconds after which a guest begins no more tests.
const SECONDS: &str = "ITERFS_GUEST_SECONDS";

/// Fetches the kernels of these guests, makes the image of tests, boots every guest
/// and says on standard output how each went. Returns whether all went well.
///
/// # Errors
/// If an image cannot be made: the script that failed has said why.
pub fn run(guests: &[Guest], checkout: &Path, target: &Path) -> Result<bool> {
    let logs = target.join(LOGS);
    fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let script = |name: &str| checkout.join("tests/vm").join(name);
    let suites: BTreeSet<_> = guests.iter().map(|guest| guest.kernel.suite).collect();
    for suite in suites {
        succeed(Command::new(script("kernel")).arg(suite))?;
    }
    succeed(&mut Command::new(script("root")))?;
    let tests = target.join("guest-tests.ext4");
    succeed(Command::new(script("tests")).arg(&tests))?;

    let seconds = seconds()?;
    let mut passed = 0;
    let mut failed = 0;
    for guest in guests {
        let path = logs.join(format!("{}.log", guest.name()));
        let _ = fs::remove_file(&path);
        // One file of tests may take half of the guest's time, so that one which hangs
        // does not keep all others from running.
        let budget = seconds.min(guest.limit());
        let parameters = format!(
            "iterfs.tests={} iterfs.skip={} iterfs.order={} iterfs.budget={} iterfs.limit={} iterfs.settings={} {}",
            guest.tests.join(","),
            skipped().collect::<Vec<_>>().join(","),
            if guest.shape.name == DEFAULT.name {
                "tables"
            } else {
                "tests"
            },
            budget,
            budget / 2,
            guest.shape.settings,
            guest.shape.parameters
        );
        let status = Command::new(script("boot"))
            .arg(guest.kernel.suite)
            .arg(&path)
            .arg((budget + budget / 2 + 60).to_string())
            .args([guest.shape.options, &parameters])
            .env("ITERFS_VM_TESTS", &tests)
            .status()
            .context("cannot start tests/vm/boot")?;
        if !status.success() {
            bail!("{} did not boot: {status}", guest.name());
        }
        let text = fs::read(&path).with_context(|| format!("no log {}", path.display()))?;
        let log = log::parse(&String::from_utf8_lossy(&text));
        let (good, bad) = tell(guest, &log);
        passed += good;
        failed += bad;
    }
    println!("kernels: {passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// How many seconds a guest may take at most: as many as the environment says, or as many
/// as its tests need.
fn seconds() -> Result<u32> {
    let Some(text) = std::env::var_os(SECONDS) else {
        return Ok(u32::MAX);
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.with_context(|| format!("{SECONDS}={} is not a number", text.display()))
}

/// Says how a guest went; returns how many tests passed and failed there. A guest
/// that did not come to its end counts as one more that failed.
fn tell(guest: &Guest, log: &Log) -> (usize, usize) {
    let passed: usize = log.binaries.iter().map(|binary| binary.passed).sum();
    let mut failed = 0;
    for binary in &log.binaries {
        for (test, why) in &binary.failed {
            println!("{}: {} {test} FAILED: {why}", guest.name(), binary.name);
        }
        // One that was killed or crashed failed, whatever its tests said before.
        let crashed = binary.failed.is_empty() && !binary.is_good();
        if crashed {
            let status = binary.status;
            println!(
                "{}: {} FAILED: exit status {status:?}",
                guest.name(),
                binary.name
            );
        }
        failed += binary.failed.len() + usize::from(crashed);
        for (test, why) in &binary.not_here {
            println!("{}: {} {test} not here: {why}", guest.name(), binary.name);
        }
    }
    // A target that the kernel has and for which a program does not load.
    for (target, why) in log.broken() {
        println!("{}: target {target} FAILED: {why}", guest.name());
        failed += 1;
    }
    for fault in &log.faults {
        println!("{}: {fault}", guest.name());
    }
    failed += log.faults.len();
    if !log.finished {
        println!("{}: FAILED: did not come to its end", guest.name());
        failed += 1;
    }
    let release = log.facts.get("release").map_or("?", String::as_str);
    println!(
        "{}: Linux {release}: {passed} passed, {failed} failed",
        guest.name()
    );
    (passed, failed)
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
