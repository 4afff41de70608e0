//! The agent that is measured: started as an operator starts it, watched through the kernel.

use std::fs;
use std::io;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use gateward_tests::{Gateway, Program, Stopwatch, built, until};
use serde_json::Value;

/// How long an agent is left alone before it is watched: what nobody receipts is sent again ever more
/// seldom, and a minute after its last record the journal is signed.
const SETTLE: Duration = Duration::from_secs(75);
/// How long an idle agent is watched.
const REST: Duration = Duration::from_secs(40);
/// The kernel's unit of CPU time, the same on every Linux that this runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// A running agent; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    program: Program,
    api: PathBuf,
    admin: PathBuf,
}

/// What an agent holds and does while nobody asks.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) resident_mib: f64,
    pub(crate) anonymous_mib: f64,
    pub(crate) wake_ups_a_second: f64,
}

/// How much has been written down.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Agent {
    pub(crate) fn spawn(gateway: &Gateway, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(built("gateward"));
        command
            .args(["run", "--config"])
            .arg(gateway.etc().join("agent.toml"))
            .env_clear()
            .env("GATEWARD_LOG", "warn")
            .env("STATE_DIRECTORY", gateway.state())
            .env("RUNTIME_DIRECTORY", gateway.api().parent().expect("a folder"))
            // One caller asks more often here than any machine would.
            .env("GATEWARD__LIMITS__ALLOW_PER_S", "100000")
            .env("GATEWARD__LIMITS__FAILED_PER_S", "100000")
            .envs(settings.iter().map(|(key, value)| (format!("GATEWARD__{key}"), value)));
        let log = gateway.etc().with_extension("bench.log");
        // The socket of the one before would be taken for this one's.
        let _was_there = fs::remove_file(gateway.api());

        Self {
            program: Program::start(&mut command, &log),
            api: gateway.api(),
            admin: gateway.admin(),
        }
    }

    pub(crate) fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.api)
    }

    /// Waits until the agent allows what `question` asks.
    pub(crate) fn decides(&self, question: &[u8]) {
        self.waits_for(question, "\"allow\":true");
    }

    /// Waits until the agent denies what `question` asks.
    pub(crate) fn refuses(&self, question: &[u8]) {
        self.waits_for(question, "\"allow\":false");
    }

    fn waits_for(&self, question: &[u8], wanted: &str) {
        let patience = Stopwatch::start();
        loop {
            let answer = self.connect().and_then(|stream| ask(stream, question));
            if answer.is_ok_and(|answer| answer.contains(wanted)) {
                return;
            }
            if patience.elapsed() > Duration::from_secs(30) {
                panic!("the agent should say {wanted}: {}", self.program.log());
            }
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Waits until the agent is connected to the broker.
    pub(crate) fn is_connected(&self) {
        until("a connected agent", || {
            (self.status().pointer("/link") == Some(&"up".into())).then_some(())
        });
    }

    /// Waits until the agent knows that its broker is gone.
    pub(crate) fn is_alone(&self) {
        until("an agent without a connection", || {
            let link = self.status().pointer("/link").cloned();
            (link.is_some() && link != Some("up".into())).then_some(())
        });
    }

    fn status(&self) -> Value {
        let request = b"GET /v1/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let answer = UnixStream::connect(&self.admin).and_then(|stream| ask(stream, request));
        let answer = answer.unwrap_or_default();

        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap_or_default().1)
            .unwrap_or_default()
    }

    /// Leaves the agent alone for a while and looks at it then.
    pub(crate) fn rest(&self) -> Idle {
        thread::sleep(SETTLE);
        let before = self.wake_ups();
        thread::sleep(REST);
        let after = self.wake_ups();
        let status = self.read("status");
        let mib = |name: &str| field(&status, name) / 1024.0;

        Idle {
            resident_mib: mib("VmRSS:"),
            anonymous_mib: mib("RssAnon:"),
            wake_ups_a_second: (after - before) / REST.as_secs_f64(),
        }
    }

    /// How often any thread has gone to sleep and come back.
    fn wake_ups(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.program.id()));
        let tasks = tasks.expect("the agent should be running").filter_map(Result::ok);

        tasks
            .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
            .map(|status| field(&status, "voluntary_ctxt_switches:"))
            .sum()
    }

    /// CPU seconds used so far.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = self.read("stat");
        let (_, after_name) = stat.rsplit_once(") ").expect("a process has a name");
        let ticks = after_name.split(' ').skip(11).take(2);

        ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND
    }

    /// How much is written down, once that is at least `records`.
    pub(crate) fn journal(&self, records: u64) -> Journal {
        until("a journal that says how far it is", || {
            let status = self.status();
            let number = |name: &str| status.pointer(name).and_then(Value::as_u64);
            let journal =
                Journal { records: number("/audit/seq")?, bytes: number("/audit/bytes")? };
            (journal.records >= records).then_some(journal)
        })
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.program.id()))
            .expect("the agent should be running")
    }
}

/// Sends one request and reads until the answer has a whole body of JSON or the server closes.
fn ask(mut stream: UnixStream, request: &[u8]) -> io::Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(request)?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece)?;
        answer.extend_from_slice(piece.get(..read).unwrap_or_default());
        if read == 0 || crate::load::whole(&answer) {
            return Ok(String::from_utf8_lossy(&answer).into_owned());
        }
    }
}

/// The number after `name` in a file of `/proc`.
fn field(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();

    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}

pub(crate) fn millis(watch: Stopwatch) -> f64 {
    watch.elapsed().as_secs_f64() * 1e3
}

pub(crate) fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);

    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
