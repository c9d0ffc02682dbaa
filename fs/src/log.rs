//! Where the log goes: standard error in the foreground, syslog otherwise.

use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// The variable that says what is logged, such as `debug` or `iterfs_bpf=debug`.
const VARIABLE: &str = "ITERFS_LOG";

fn filter() -> EnvFilter {
    EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Logs to standard error, in colours on a terminal that has them (<https://no-color.org>).
/// Whoever reads it may go away: a line that cannot be written is lost, and no more.
pub(crate) fn to_standard_error() {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_writer(io::stderr)
        .with_ansi(!plain && io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_target(false)
        .init();
}

/// Logs to syslog(3).
pub(crate) fn to_syslog() {
    let syslog = syslog_tracing::Syslog::new(
        c"iterfs",
        syslog_tracing::Options::LOG_PID,
        syslog_tracing::Facility::Daemon,
    );
    if let Some(syslog) = syslog {
        tracing_subscriber::fmt()
            .with_env_filter(filter())
            .with_writer(syslog)
            .with_ansi(false)
            .log_internal_errors(false)
            .without_time()
            .with_level(false)
            .with_target(false)
            .init();
    }
}
