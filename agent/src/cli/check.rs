//! `gateward check`: one question from the command line, to the running agent or to a bundle.
//!
//! The token comes from standard input or from a file, never from the arguments: other users of
//! the machine can read those.

use core::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;

use gateward_core::decide::{Class, Reason};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Exit, Global};
use crate::client;

mod bundle;

/// The most bytes that are read of a token; four times the longest one. Three times as many still
/// fit into a question.
const MAX_TOKEN: usize = 2_048;

/// What to ask.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A file that holds the token [default: standard input]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A permission; several may be given, of which any suffices
    #[arg(long, required_unless_present = "path", conflicts_with_all = ["path", "method"])]
    permission: Vec<String>,
    /// read, write, delete, issue, issue_ca, revoke or approve
    #[arg(long, conflicts_with = "path")]
    operation: Option<String>,
    /// A division, by name or id
    #[arg(long)]
    division: Option<String>,
    /// The method of a request to the upstream
    #[arg(long, requires = "path")]
    method: Option<String>,
    /// The path of a request to the upstream
    #[arg(long, requires = "method")]
    path: Option<String>,
    /// Show every check, not only the outcome (asks the admin socket)
    #[arg(long)]
    explain: bool,
    /// Decide with this bundle instead of asking a running agent; it does not know of keys that a
    /// running agent may already call compromised
    #[arg(long, value_name = "BUNDLE")]
    snapshot: Option<PathBuf>,
    /// With `--snapshot`: take a bare snapshot that nobody signed, and the default settings
    #[arg(long, requires = "snapshot")]
    unsigned: bool,
}

/// The same words as the body of `/v1/authorize`.
#[derive(Serialize)]
struct Question<'a> {
    token: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    permission: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    division: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
}

impl Args {
    /// Ends with 0 where the request is allowed, 1 where it is denied.
    pub(crate) fn run(self, global: &Global) -> Exit {
        let token = match self.token() {
            Ok(token) => token,
            Err(error) => return global.fail(Exit::Io.unless_refused(&error), &error),
        };
        match &self.snapshot {
            Some(path) => bundle::check(&self, path, token.trim(), global),
            None => self.ask(token.trim(), global),
        }
    }

    fn token(&self) -> Result<Zeroizing<String>, NoToken> {
        let bytes = match &self.token_file {
            Some(path) => fs::File::open(path)
                .and_then(read)
                .map_err(|source| NoToken::File { path: path.clone(), source })?,
            None => read(io::stdin().lock()).map_err(NoToken::Input)?,
        };

        Ok(text(&bytes))
    }

    fn ask(&self, token: &str, global: &Global) -> Exit {
        let config = match global.load() {
            Ok(config) => config,
            Err(exit) => return exit,
        };
        let question = Question {
            token,
            permission: &self.permission,
            operation: self.operation.as_deref(),
            division: self.division.as_deref(),
            method: self.method.as_deref(),
            path: self.path.as_deref(),
        };
        let (socket, place) = if self.explain {
            (&config.api.admin_socket, "/v1/explain")
        } else {
            (&config.api.socket, "/v1/authorize")
        };
        let answer = super::wait(client::post_json(socket, place, &question));

        match answer {
            Ok((status, body)) => say(status, &body, global),
            Err(error) => global.fail(Exit::from(&error), &error),
        }
    }
}

/// Why there is no token to ask about.
#[derive(Debug, Error)]
enum NoToken {
    #[error("`{}`: the token cannot be read; `--token-file` must name a file that holds it", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("standard input: the token cannot be read; pipe it in, or use `--token-file`")]
    Input(#[source] io::Error),
}

fn read(from: impl io::Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // With its room from the start no copy is left behind when it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_TOKEN));
    from.take(MAX_TOKEN as u64).read_to_end(&mut bytes)?;

    Ok(bytes)
}

/// Returns `bytes` as a text that can be sent; what no token has becomes what no token has either,
/// so that the answer is a denial like any other.
fn text(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(3 * bytes.len()));
    let known = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    text.extend(
        bytes.iter().map(
            |byte| {
                if known(byte) { char::from(*byte) } else { char::REPLACEMENT_CHARACTER }
            },
        ),
    );

    text
}

/// Why an answer is not a decision.
#[derive(Debug, Error)]
enum NoDecision {
    #[error("the agent answered {status}, which is no decision; see its log")]
    Other { status: u16 },
    #[error("{title} ({code})")]
    Problem { title: String, code: String, status: u16 },
}

impl NoDecision {
    fn new(status: u16, answer: &Value) -> Self {
        let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
        match (text("title"), text("code")) {
            (Some(title), Some(code)) => Self::Problem { title, code, status },
            _ => Self::Other { status },
        }
    }

    const fn exit(&self) -> Exit {
        match self {
            Self::Problem { status: 429 | 503, .. } => Exit::NotNow,
            Self::Problem { status: 400 | 413, .. } => Exit::Usage,
            Self::Problem { .. } | Self::Other { .. } => Exit::Io,
        }
    }
}

fn say(status: u16, body: &[u8], global: &Global) -> Exit {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    match (status, flag(&answer, "allow")) {
        (200, Some(allow)) => {
            let reason = answer.get("reason").and_then(Value::as_str);
            let reason = Reason::ALL.iter().find(|known| Some(known.name()) == reason);
            global.print(ending(allow, reason.copied()), &Said(&answer), &answer)
        }
        _ => {
            let none = NoDecision::new(status, &answer);
            global.fail(none.exit(), &none)
        }
    }
}

/// Returns how to end after a decision; only an explanation has a reason.
fn ending(allow: bool, reason: Option<Reason>) -> Exit {
    match (allow, reason.map(Reason::class)) {
        (true, _) => Exit::Success,
        (false, Some(Class::Unavailable)) => Exit::NotNow,
        (false, _) => Exit::No,
    }
}

fn flag(value: &Value, key: &str) -> Option<bool> {
    value.get(key).and_then(Value::as_bool)
}

/// An answer for people.
struct Said<'a>(&'a Value);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &str| self.0.get(key).and_then(Value::as_str);
        match flag(self.0, "allow") {
            Some(true) => f.write_str("allowed")?,
            Some(false) => f.write_str("denied")?,
            None => f.write_str("no decision")?,
        }
        if let Some(principal) = self.0.get("principal").and_then(Value::as_object) {
            let of = |key: &str| principal.get(key).and_then(Value::as_str).unwrap_or("-");
            write!(f, ": {} `{}`, token {}", of("kind"), of("name"), of("token"))?;
        }
        if let (Some(reason), Some(means)) = (text("reason"), text("means")) {
            write!(f, "\n{reason}: {means}")?;
        }
        let checks = self.0.get("checks").and_then(Value::as_array);
        for check in checks.into_iter().flatten() {
            let mark = if flag(check, "passed") == Some(true) { "pass" } else { "FAIL" };
            let name = check.get("check").and_then(Value::as_str).unwrap_or_default();
            write!(f, "\n  {mark}  {name}")?;
        }

        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gateward_core::token::Token;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_text_at_all_becomes_a_malformed_token_that_fits_into_a_question() {
        let bytes = vec![0xff; MAX_TOKEN];
        assert!(text(&bytes).len() < 8 * 1024 - 1024);

        let mut bytes = b"gwd1.".to_vec();
        bytes.resize(100, 0xff);
        let token = Token::read(text(&bytes).as_bytes());
        assert!(!token.is_ok_and(|token| token.is_well_formed()));
        assert_eq!(text(b"gwd1.abc\n").as_str(), "gwd1.abc\n");
    }

    #[test]
    fn a_token_file_that_is_not_there_is_named_with_the_remedy() {
        let failed = NoToken::File { path: "/nope".into(), source: io::ErrorKind::NotFound.into() };

        let said = failed.to_string();
        assert!(said.contains("`/nope`") && said.contains("`--token-file`"), "{said}");
    }

    #[test]
    fn an_answer_that_is_no_decision_has_its_number_and_its_words() {
        let problem = json!({ "title": "too many requests", "code": "rate_limited" });
        for (status, exit) in [(400, 2), (413, 2), (429, 75), (503, 75), (404, 74)] {
            let none = NoDecision::new(status, &problem);
            assert_eq!(none.exit() as u8, exit, "{status}");
            assert_eq!(none.to_string(), "too many requests (rate_limited)");
        }
        assert_eq!(NoDecision::new(200, &Value::Null).exit(), Exit::Io);
        assert_eq!(ending(false, Some(Reason::NoSnapshot)), Exit::NotNow);
        assert_eq!(ending(false, Some(Reason::BadSecret)), Exit::No);
    }

    #[test]
    fn an_explanation_shows_every_check() {
        let answer = json!({ "allow": false, "reason": "bad_secret", "means": "x",
            "checks": [{ "check": "unknown_token", "passed": true },
                       { "check": "bad_secret", "passed": false }] });

        let said = Said(&answer).to_string();

        assert_eq!(said, "denied\nbad_secret: x\n  pass  unknown_token\n  FAIL  bad_secret");
    }
}
