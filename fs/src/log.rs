//! Where the log goes: standard error in the foreground, syslog otherwise.

use tracing_subscriber::EnvFilter;

/// The variable that says what is logged, such as `debug` or `iterfs_bpf=debug`.
const VARIABLE: &str = "ITERFS_LOG";

fn filter() -> EnvFilter {
    EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Logs to standard error.
pub(crate) fn to_standard_error() {
    tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_writer(std::io::stderr)
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
            .without_time()
            .with_level(false)
            .with_target(false)
            .init();
    }
}
