//! What goes wrong again and again.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use iterfs_tests::foreground::Foreground;
use iterfs_tests::installed::Installed;
use nix::sys::signal::Signal;
use std::fs;

/// What fails again and again is a few lines of the log.
#[test]
fn a_storm_of_failures_does_not_fill_the_log() {
    let installed = Installed::new();
    let daemon = Foreground::mount(&installed, "");
    let ctl = installed.seen(&installed.mountpoint().join("ctl"));
    for number in 0..1000 {
        fs::write(&ctl, format!("nonsense {number}")).unwrap_err();
    }
    daemon.signal(Signal::SIGTERM);
    let (_, log) = daemon.end();
    let about = log.iter().filter(|line| line.contains("nonsense"));
    let about: Vec<_> = about.collect();
    assert!((1..=200).contains(&about.len()), "{} lines", about.len());
    assert!(
        about.iter().any(|line| line.contains("left out")),
        "{about:?}"
    );
}
