//! `gateward check`: one question from the command line, to the running agent or to a bundle.
//!
//! The token comes from standard input or from a file, never from the arguments: other users of
//! the machine can read those.

use core::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Exit, Global};
use crate::client;

mod bundle;

/// The longest token file that is read, in bytes.
const MAX_TOKEN: u64 = 4_096;

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
    /// Decide with this bundle instead of asking a running agent
    #[arg(long, value_name = "BUNDLE")]
    snapshot: Option<PathBuf>,
    /// With `--snapshot`: take a bare snapshot that nobody signed
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
            Err(error) => return global.fail(Exit::Io, &error),
        };
        match &self.snapshot {
            Some(path) => bundle::check(&self, path, token.trim(), global),
            None => self.ask(token.trim(), global),
        }
    }

    fn token(&self) -> io::Result<Zeroizing<String>> {
        let mut token = Zeroizing::new(String::new());
        match &self.token_file {
            Some(path) => fs::File::open(path)?.take(MAX_TOKEN).read_to_string(&mut token)?,
            None => io::stdin().lock().take(MAX_TOKEN).read_to_string(&mut token)?,
        };

        Ok(token)
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

fn say(status: u16, body: &[u8], global: &Global) -> Exit {
    let answer: Value = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(error) => return global.fail(Exit::Io, &error),
    };
    let exit = match (status, flag(&answer, "allow")) {
        (200, Some(true)) => Exit::Success,
        (200, Some(false)) => Exit::No,
        (429 | 503, _) => Exit::NotNow,
        _ => Exit::Usage,
    };

    global.print(exit, &Said(&answer), &answer)
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
            None => return f.write_str(text("title").unwrap_or("no answer")),
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
    use serde_json::json;

    use super::*;

    #[test]
    fn an_explanation_shows_every_check() {
        let answer = json!({ "allow": false, "reason": "bad_secret", "means": "x",
            "checks": [{ "check": "unknown_token", "passed": true },
                       { "check": "bad_secret", "passed": false }] });

        let said = Said(&answer).to_string();

        assert_eq!(said, "denied\nbad_secret: x\n  pass  unknown_token\n  FAIL  bad_secret");
    }
}
