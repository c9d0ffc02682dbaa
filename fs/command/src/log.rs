//! The destination of the log: standard error in the foreground, syslog otherwise.
//!
//! A reader can make an error happen thousands of times a second. So warnings and errors
//! are limited for each place in the code that logs them, whatever their text. The crate
//! tracing-throttle compares the whole text, in which a path or a number may differ each
//! time.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};
use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{self, FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, registry};

/// The environment variable that filters the log, such as `debug` or `iterfs_bpf=debug`.
const VARIABLE: &str = "ITERFS_LOG";

/// Maximum number of lines from one place in the code within one [`WINDOW`].
const BURST: u32 = 10;

/// The time after which a place may log again.
const WINDOW: Duration = Duration::from_secs(10);

fn filter() -> EnvFilter {
    EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Logs to standard error, in colours on a terminal that supports them
/// (<https://no-color.org>). The reader of the log may go away: then lines are lost without
/// further consequences.
pub(crate) fn to_standard_error() {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let format = fmt::format().with_target(false);
    let layer = limited(format)
        .with_writer(io::stderr)
        .with_ansi(!plain && io::stderr().is_terminal());
    registry().with(layer.with_filter(filter())).init();
}

/// Logs to syslog(3).
pub(crate) fn to_syslog() {
    let syslog = syslog_tracing::Syslog::new(
        c"iterfs",
        syslog_tracing::Options::LOG_PID,
        syslog_tracing::Facility::Daemon,
    );
    let format = fmt::format()
        .without_time()
        .with_level(false)
        .with_target(false);
    if let Some(syslog) = syslog {
        let layer = limited(format).with_writer(syslog).with_ansi(false);
        registry().with(layer.with_filter(filter())).init();
    }
}

/// A layer that writes lines in a format and leaves some of them out.
fn limited<S, F>(format: F) -> fmt::Layer<S, DefaultFields, Limited<F>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: FormatEvent<S, DefaultFields> + 'static,
{
    let limited = Limited {
        format,
        limiter: Mutex::default(),
    };
    // An error is a line that is left out, or one that the reader of the log no longer
    // receives.
    fmt::layer()
        .event_format(limited)
        .log_internal_errors(false)
}

/// A format that leaves some lines out.
struct Limited<F> {
    format: F,
    limiter: Mutex<Limiter>,
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN {
            return self.format.format_event(context, writer, event);
        }
        let verdict = self
            .limiter
            .lock()
            .admit(metadata.callsite(), Instant::now());
        let remark = match verdict {
            Verdict::Write { left_out: 0 } => {
                return self.format.format_event(context, writer, event);
            }
            Verdict::Write { left_out } => {
                format!("{left_out} such lines were left out before this one")
            }
            Verdict::WriteLast => {
                let seconds = WINDOW.as_secs();
                format!("more such lines are left out for up to {seconds} s")
            }
            // A line that cannot be formatted is not written at all.
            Verdict::LeaveOut => return Err(std::fmt::Error),
        };
        let mut line = String::new();
        self.format
            .format_event(context, Writer::new(&mut line), event)?;
        writeln!(writer, "{} ({remark})", line.trim_end())
    }
}

/// The fate of a line.
#[derive(Debug, Eq, PartialEq)]
enum Verdict {
    /// Write it. This many were left out before it.
    Write { left_out: u64 },
    /// Write it as the last one for some time.
    WriteLast,
    /// Leave it out.
    LeaveOut,
}

/// Counts lines by the place in the code that logs them.
#[derive(Default)]
struct Limiter(HashMap<Identifier, Window>);

struct Window {
    begun: Instant,
    written: u32,
    left_out: u64,
}

impl Limiter {
    fn admit(&mut self, place: Identifier, now: Instant) -> Verdict {
        let new = |left_out| Window {
            begun: now,
            written: 0,
            left_out,
        };
        let window = self.0.entry(place).or_insert_with(|| new(0));
        let mut left_out = 0;
        if now.duration_since(window.begun) >= WINDOW {
            left_out = window.left_out;
            *window = new(0);
        }
        window.written = window.written.saturating_add(1);
        if window.written < BURST {
            Verdict::Write { left_out }
        } else if window.written == BURST {
            Verdict::WriteLast
        } else {
            window.left_out += 1;
            Verdict::LeaveOut
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Buffer {
        type Writer = Buffer;

        fn make_writer(&self) -> Buffer {
            self.clone()
        }
    }

    fn logged(log: impl FnOnce()) -> Vec<String> {
        let buffer = Buffer::default();
        let layer = limited(fmt::format().without_time())
            .with_writer(buffer.clone())
            .with_ansi(false);
        let subscriber = registry().with(layer);
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(buffer.0.lock().clone()).unwrap();
        text.lines().map(String::from).collect()
    }

    #[test]
    fn a_storm_of_errors_is_a_few_lines() {
        let lines = logged(|| {
            for number in 0..3000 {
                tracing::error!(number, "thread {number} cannot be started");
            }
            tracing::error!("something else");
        });
        assert_eq!(lines.len(), BURST as usize + 1, "{lines:?}");
        let last = &lines[BURST as usize - 1];
        assert!(last.contains("thread 9 cannot be started"), "{last}");
        assert!(
            last.ends_with("(more such lines are left out for up to 10 s)"),
            "{last}"
        );
        assert!(lines.last().unwrap().contains("something else"));
    }

    #[test]
    fn information_is_never_left_out() {
        let lines = logged(|| (0..100).for_each(|number| tracing::info!("done {number}")));
        assert_eq!(lines.len(), 100);
    }

    #[test]
    fn the_next_line_tells_how_many_were_left_out() {
        let mut limiter = Limiter::default();
        let callsite =
            tracing::callsite!(name: "x", kind: tracing::metadata::Kind::EVENT, fields: );
        let place = tracing::callsite::Callsite::metadata(callsite).callsite();
        let begin = Instant::now();
        let mut admit =
            |seconds| limiter.admit(place.clone(), begin + Duration::from_secs(seconds));
        for _ in 1..BURST {
            assert_eq!(admit(0), Verdict::Write { left_out: 0 });
        }
        assert_eq!(admit(1), Verdict::WriteLast);
        assert_eq!(admit(2), Verdict::LeaveOut);
        assert_eq!(admit(9), Verdict::LeaveOut);
        assert_eq!(admit(10), Verdict::Write { left_out: 2 });
        assert_eq!(admit(30), Verdict::Write { left_out: 0 });
    }
}
