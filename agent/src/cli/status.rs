//! `gateward status`: what the running agent decides with, and how it fares.

use core::fmt;
use core::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{Exit, Global};
use crate::client::{self, ClientError};
use crate::config::Config;

/// How often `--watch` asks again.
const EVERY: Duration = Duration::from_secs(2);

/// What to show.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Ask again every two seconds until interrupted, also while the agent restarts
    #[arg(long)]
    watch: bool,
}

impl Args {
    /// Ends with 0, or with 69 where no agent runs; `--watch` waits for one.
    pub(crate) fn run(self, global: &Global) -> Exit {
        let config = match global.load() {
            Ok(config) => config,
            Err(exit) => return exit,
        };
        loop {
            let exit = match ask(&config) {
                Ok(status) => {
                    // A line between one table and the next.
                    let after = if self.watch { "\n" } else { "" };
                    let text = format!("{}{after}", Table(&status));
                    global.print(Exit::Success, &text, &status)
                }
                Err(none) if self.watch && none.may_pass() => {
                    global.fail(Exit::Success, &none);
                    Exit::Success
                }
                Err(none) => global.fail(none.exit(), &none),
            };
            if !self.watch || exit != Exit::Success {
                return exit;
            }
            std::thread::sleep(EVERY);
        }
    }
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
enum NoStatus {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the agent answered {0}, which is no status; see its log")]
    Other(u16),
}

impl NoStatus {
    fn exit(&self) -> Exit {
        match self {
            Self::Client(error) => Exit::from(error),
            Self::Other(_) => Exit::Io,
        }
    }

    /// An agent that ends or starts may hang up in the middle of an answer.
    const fn may_pass(&self) -> bool {
        use ClientError::{Broken, Late, NoAgent};

        matches!(self, Self::Client(Broken(_) | Late | NoAgent { .. }))
    }
}

fn ask(config: &Config) -> Result<Value, NoStatus> {
    match super::wait(client::get(&config.api.admin_socket, "/v1/status"))? {
        (200, body) => serde_json::from_slice(&body).map_err(|_| NoStatus::Other(200)),
        (status, _) => Err(NoStatus::Other(status)),
    }
}

/// The status for people, a line a thing.
struct Table<'a>(&'a Value);

impl Table<'_> {
    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or("-")
    }

    fn number(&self, pointer: &str) -> u64 {
        self.0.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.number("/time/now");
        writeln!(f, "gateway   {} of group {}", self.text("/gateway"), self.text("/group"))?;
        writeln!(f, "state     {}", self.text("/state"))?;
        writeln!(f, "link      {}", self.text("/link"))?;
        if self.0.pointer("/snapshot/version").is_none() {
            writeln!(f, "snapshot  none: every keyed request is refused")?;
        } else {
            let root = self.text("/snapshot/root");
            writeln!(
                f,
                "snapshot  version {} (epoch {}), root {}, {} old",
                self.number("/snapshot/version"),
                self.number("/snapshot/epoch"),
                root.get(..16).unwrap_or(root),
                Span(self.number("/snapshot/age_s")),
            )?;
            let until = |pointer| Until { now, at: self.number(pointer) };
            // At 0 the clock has nothing to do with it.
            let missing = self.0.pointer("/snapshot/missing").and_then(Value::as_str);
            match missing {
                Some(missing) => writeln!(f, "          stale: {missing}")?,
                None => writeln!(f, "          stale {}", until("/snapshot/stale_at"))?,
            }
            writeln!(f, "          expires {}", until("/snapshot/expires_at"))?;
            writeln!(
                f,
                "holds     {} tokens of {} principals",
                self.number("/snapshot/tokens"),
                self.number("/snapshot/principals"),
            )?;
            writeln!(f, "allows    {}", allows(self.text("/state")))?;
            let list = self.number("/snapshot/revoked/counter");
            if list > 0 {
                let entries = self.number("/snapshot/revoked/entries");
                writeln!(f, "revoked   {entries} beside it, by list {list}")?;
            }
        }
        writeln!(f, "time      {} ({})", Moment(now), self.text("/time/quality"))?;
        let refusing = self.0.pointer("/audit/refusing").and_then(Value::as_bool) == Some(true);
        // An agent of an older version does not say it.
        let problem = self.0.pointer("/audit/problem").and_then(Value::as_str);
        write!(
            f,
            "audit     {} records, {} without a receipt{}",
            self.number("/audit/seq"),
            self.number("/audit/backlog"),
            refusal(refusing, problem),
        )?;
        // An agent of an older version does not say it.
        match self.0.pointer("/audit/written_per_day").and_then(Value::as_u64) {
            Some(bytes) => {
                write!(f, "\nflash     {} KiB a day for the audit", bytes.div_ceil(1024))
            }
            None => Ok(()),
        }
    }
}

/// Why nothing can be written down.
fn refusal(refusing: bool, problem: Option<&str>) -> &'static str {
    match problem {
        _ if !refusing => "",
        Some("disk_full") => "; disk full, so requests are refused: make room",
        Some("disk_failing") => "; disk failing, so requests are refused: see the log",
        _ => "; no room, so requests are refused: connect the collector or raise `audit.max_bytes`",
    }
}

/// What a gateway in this state still allows.
fn allows(state: &str) -> &'static str {
    match state {
        "fresh" => "everything that the snapshot grants",
        "stale" => "what the snapshot grants, but for operations that need a fresh one",
        _ => "nothing that needs a credential",
    }
}

struct Moment(u64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i64::try_from(self.0).ok().and_then(|s| Timestamp::from_second(s).ok()) {
            Some(moment) => moment.fmt(f),
            None => write!(f, "{} s after 1970", self.0),
        }
    }
}

struct Until {
    now: u64,
    at: u64,
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = Moment(self.at);
        match self.at.checked_sub(self.now) {
            Some(left) => write!(f, "at {moment}, in {}", Span(left)),
            None => write!(f, "since {moment}"),
        }
    }
}

/// A length of time in its two largest units.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, hours, minutes) = (self.0 / 86_400, self.0 / 3_600 % 24, self.0 / 60 % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{} s", self.0),
            (0, 0, minutes) => write!(f, "{minutes} min"),
            (0, hours, minutes) => write!(f, "{hours} h {minutes} min"),
            (days, hours, _) => write!(f, "{days} d {hours} h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_gateway_without_a_snapshot_says_what_that_means() {
        let status = json!({ "gateway": "edge-7a", "group": "plant-7", "state": "refusing",
            "link": "down", "snapshot": null, "time": { "now": 1_800_000_000, "quality": "floor" },
            "audit": { "seq": 3, "backlog": 1, "refusing": false, "written_per_day": 5000 } });

        assert_eq!(
            Table(&status).to_string(),
            "gateway   edge-7a of group plant-7\nstate     refusing\nlink      down\n\
             snapshot  none: every keyed request is refused\n\
             time      2027-01-15T08:00:00Z (floor)\n\
             audit     3 records, 1 without a receipt\n\
             flash     5 KiB a day for the audit"
        );
    }

    #[test]
    fn a_stale_gateway_says_why_and_what_it_still_allows() {
        let status = json!({ "gateway": "edge-7a", "group": "plant-7", "state": "stale",
            "link": "up", "time": { "now": 1_800_000_000, "quality": "synced" },
            "snapshot": { "version": 7, "epoch": 1, "root": "00", "age_s": 60, "stale_at": 0,
                "expires_at": 1_800_003_600, "tokens": 5, "principals": 3,
                "missing": "version 1.8 is out and has not arrived",
                "revoked": { "epoch": 1, "counter": 17, "entries": 2 } },
            "audit": { "seq": 3, "backlog": 1, "refusing": false } });
        let said = Table(&status).to_string();

        assert!(said.contains("stale: version 1.8 is out and has not arrived"), "{said}");
        assert!(said.contains("but for operations that need a fresh one"), "{said}");
        assert!(said.contains("revoked   2 beside it, by list 17"), "{said}");
    }

    #[test]
    fn a_watch_goes_on_while_the_agent_restarts_and_ends_where_the_system_refuses() {
        let cause = || std::io::Error::other("x");
        let socket = String::new;
        let gone = NoStatus::Client(ClientError::NoAgent { socket: socket(), cause: cause() });
        let refused =
            NoStatus::Client(ClientError::Permission { socket: socket(), cause: cause() });

        assert!(gone.may_pass() && NoStatus::Client(ClientError::Late).may_pass());
        assert!(!refused.may_pass() && !NoStatus::Other(404).may_pass());
        assert_eq!((gone.exit(), refused.exit()), (Exit::Unavailable, Exit::Permission));
    }

    #[test]
    fn spans_are_said_in_their_two_largest_units() {
        let said = [59, 60, 3_660, 90_000].map(|span| Span(span).to_string());

        assert_eq!(said, ["59 s", "1 min", "1 h 1 min", "1 d 1 h"]);
    }
}
