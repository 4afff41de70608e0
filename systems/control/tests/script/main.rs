//! The control plane as a script runs it: what is on stdout, and the exit code.

#![expect(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod keys;
mod lifecycle;

use std::path::Path;
use std::process::Command;

/// Returns the exit code, and what is on stdout and on stderr.
fn run(dir: &Path, line: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateward-control"));
    let output = command.current_dir(dir).args(line).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();

    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Runs what must not fail, and returns what is on stdout.
fn done(dir: &Path, line: &[&str]) -> String {
    let (code, out, err) = run(dir, line);
    assert_eq!(code, 0, "{line:?}: {err}");

    out
}
