//! Where the log goes and how it looks; all of it to standard error.
//!
//! `GATEWARD_LOG` filters (`info` unless set), `GATEWARD_LOG_FORMAT` is `auto`, `journald`, `json`
//! or `text`. A line stays a line: what comes from outside cannot begin another one.

use core::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _};

use tracing::subscriber::set_global_default;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// What the operator wants to see of the log.
#[derive(Debug)]
pub struct Trace {
    filter: EnvFilter,
    style: Style,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Style {
    Json,
    Line(Line),
}

impl Trace {
    /// Reads the environment of this process.
    ///
    /// # Errors
    ///
    /// It asks for a log that there is not.
    pub fn from_environment() -> Result<Self, BadTrace> {
        let get = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into());
        Self::new(get, io::stderr().is_terminal())
    }

    fn new(get: impl Fn(&str) -> Option<String>, terminal: bool) -> Result<Self, BadTrace> {
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let wanted = set("GATEWARD_LOG").unwrap_or_else(|| "info".to_owned());
        let filter = EnvFilter::try_new(&wanted).map_err(|_| BadTrace::Filter(wanted))?;
        let text = Style::Line(Line::Text { colour: terminal && set("NO_COLOR").is_none() });
        let style = match set("GATEWARD_LOG_FORMAT").as_deref() {
            None | Some("auto") if set("JOURNAL_STREAM").is_some() => Style::Line(Line::Journald),
            None | Some("auto" | "text") => text,
            Some("journald") => Style::Line(Line::Journald),
            Some("json") => Style::Json,
            Some(other) => return Err(BadTrace::Format(other.to_owned())),
        };

        Ok(Self { filter, style })
    }

    /// Sends the log of the whole process there; a second call changes nothing.
    pub fn start(self) {
        let builder =
            tracing_subscriber::fmt().with_env_filter(self.filter).with_writer(io::stderr);
        let started = match self.style {
            Style::Json => set_global_default(builder.json().finish()),
            Style::Line(line) => set_global_default(builder.event_format(line).finish()),
        };
        // An error means that a log is there already, as where a test or the demo has its own.
        drop(started);
    }
}

/// One event on one line, for people and for the journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line {
    /// The journal knows the time and takes the priority from `<N>`.
    Journald,
    Text {
        colour: bool,
    },
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = String::new();
        context.field_format().format_fields(Writer::new(&mut fields), event)?;
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            if let Some(more) = extensions.get::<FormattedFields<N>>().filter(|f| !f.is_empty()) {
                write!(fields, " {more}")?;
            }
        }

        let level = *event.metadata().level();
        match self {
            Self::Journald => write!(out, "<{}>", priority(level))?,
            Self::Text { colour } => {
                SystemTime.format_time(&mut out)?;
                let (on, off) = if *colour { (colour_of(level), "\x1b[0m") } else { ("", "") };
                write!(out, " {on}{level:>5}{off} ")?;
            }
        }
        write!(out, "{}: ", event.metadata().target())?;
        escape(&mut out, &fields)?;
        out.write_char('\n')
    }
}

/// Writes `text` without any character that could end the line or steer a terminal.
fn escape(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    for c in text.chars() {
        if c.is_control() {
            write!(out, "{}", c.escape_default())?;
        } else {
            out.write_char(c)?;
        }
    }
    Ok(())
}

/// Returns the priority of syslog (RFC 5424, section 6.2.1).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

fn colour_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG | Level::TRACE => "\x1b[2m",
    }
}

/// Why the log cannot look as asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadTrace {
    /// The filter is not one.
    #[error("`GATEWARD_LOG` is `{}`: write a level such as `info`, or `target=level,…`", .0.escape_debug())]
    Filter(String),
    /// There is no such format.
    #[error("`GATEWARD_LOG_FORMAT` is `{}`: write `auto`, `journald`, `json` or `text`", .0.escape_debug())]
    Format(String),
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::{error, info, warn};

    use super::*;

    fn style(env: &[(&str, &str)], terminal: bool) -> Result<Style, BadTrace> {
        let get = |name: &str| {
            env.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned())
        };
        Trace::new(get, terminal).map(|trace| trace.style)
    }

    #[test]
    fn the_format_follows_the_environment() {
        let plain = Style::Line(Line::Text { colour: false });
        let format = "GATEWARD_LOG_FORMAT";

        assert_eq!(style(&[], false), Ok(plain));
        assert_eq!(style(&[], true), Ok(Style::Line(Line::Text { colour: true })));
        assert_eq!(style(&[("NO_COLOR", "1")], true), Ok(plain));
        assert_eq!(style(&[("NO_COLOR", "")], true), Ok(Style::Line(Line::Text { colour: true })));
        assert_eq!(style(&[("JOURNAL_STREAM", "8:1")], false), Ok(Style::Line(Line::Journald)));
        assert_eq!(
            style(&[("JOURNAL_STREAM", "8:1"), (format, "auto")], false),
            Ok(Style::Line(Line::Journald))
        );
        assert_eq!(style(&[("JOURNAL_STREAM", "8:1"), (format, "text")], false), Ok(plain));
        assert_eq!(style(&[(format, "json")], true), Ok(Style::Json));
        assert_eq!(style(&[(format, "journald")], true), Ok(Style::Line(Line::Journald)));
    }

    #[test]
    fn a_format_or_filter_that_does_not_exist_is_refused() {
        let format = style(&[("GATEWARD_LOG_FORMAT", "xml")], false).unwrap_err();
        assert_eq!(
            format.to_string(),
            "`GATEWARD_LOG_FORMAT` is `xml`: write `auto`, `journald`, `json` or `text`"
        );
        assert!(style(&[("GATEWARD_LOG", "a=b=c")], false).is_err());
    }

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(line: Line, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(line)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_comes_from_outside_cannot_begin_a_line() {
        let hostile = "x\n<0>forged\r\x1b[2J";
        let text = written(Line::Journald, || warn!(name = %hostile, "refused {hostile}"));

        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(text.starts_with("<4>"), "{text:?}");
        assert!(text.contains("\\n<0>forged"), "{text:?}");
        assert!(!text.contains('\x1b'), "{text:?}");
        assert!(!text.contains('\r'), "{text:?}");
    }

    #[test]
    fn the_journal_gets_priorities_and_people_get_the_time() {
        let text = written(Line::Journald, || {
            error!("one");
            info!(task = "link", "two");
        });
        let lines = text.lines().collect::<Vec<_>>();
        assert!(lines[0].starts_with("<3>gateward_agent::trace::tests: one"), "{text}");
        assert!(lines[1].ends_with("two task=\"link\""), "{text}");

        let text = written(Line::Text { colour: false }, || info!("three"));
        assert!(text.starts_with("20"), "{text}");
        assert!(text.contains("Z  INFO gateward_agent::trace::tests: three"), "{text}");
    }
}
