//! The demo as whoever has just cloned the repository starts it.

#![expect(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The demo, with its folders in `temp`.
fn demo(temp: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateward-demo"));
    command.env("TMPDIR", temp.path()).env_remove("GATEWARD_LOG");

    command
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().unwrap().next().is_none()
}

#[test]
fn twelve_assertions_hold_and_nothing_is_left_behind() {
    let temp = tempfile::tempdir().unwrap();
    let output = demo(&temp).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();

    assert!(output.status.success(), "{out}{err}");
    assert_eq!(out.matches('✓').count(), 12, "{out}");
    assert!(!out.contains('✗') && !out.contains('\x1b'), "{out}");
    assert!(out.contains("\n12 of 12 hold, in "), "{out}");
    assert!(!out.contains("gwd1."), "a token is nothing for a screen: {out}");
    assert_eq!(err, "", "logs are for whoever asks for them");
    assert!(is_empty(temp.path()));
}

#[test]
fn kept_it_answers_at_the_sockets_that_it_names_until_it_is_stopped() {
    let temp = tempfile::tempdir().unwrap();
    let mut child = demo(&temp).arg("--keep").stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let ready = said.find(|line| line.starts_with("curl ") && line.contains("/readyz")).unwrap();
    let more: Vec<_> = said.by_ref().take_while(|line| !line.starts_with("tail -f ")).collect();
    let socket = ready.split(' ').nth(2).unwrap();

    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("fresh\n"), "{answer}");
    let token = more.iter().find_map(|line| line.split('\'').find(|part| part.contains("gwd1.")));
    let body = r#"{"permission": "manage_device", "division": "plant-7"}"#;
    assert!(more.iter().any(|line| line.contains(body)), "{more:?}");
    let mut stream = UnixStream::connect(socket).unwrap();
    let head = "POST /v1/authorize HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let length = body.len();
    write!(stream, "{head}{}\r\ncontent-length: {length}\r\n\r\n{body}", token.unwrap()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"allow\":true"), "{answer}");

    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(is_empty(temp.path()));
}

#[test]
fn what_cannot_begin_says_why() {
    let temp = tempfile::tempdir().unwrap();
    let output = demo(&temp).env("TMPDIR", temp.path().join("none")).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();

    assert_eq!(output.status.code(), Some(70), "{err}");
    assert!(output.stdout.is_empty() && err.starts_with("gateward-demo: "), "{err}");
}
