//! A program that runs beside the test, and one that runs to its end.
//!
//! What they print goes into files, so that a test can look for what must never be printed.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until;

/// Returns where the build put the program `name` of this workspace.
///
/// # Panics
///
/// If it was not built; `cargo test` builds libraries, and these are programs.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let target = test.ancestors().nth(3).expect("the test is in target/PROFILE/deps");
    let own = test.ancestors().nth(2).and_then(Path::file_name).expect("PROFILE has a name");
    // Figures are of the agent as it is installed; scenarios of the one that was just changed.
    let profile = std::env::var_os("GATEWARD_AGENT_PROFILE").filter(|_| name == "gateward");
    let path = target.join(profile.as_deref().unwrap_or(own)).join(name);
    assert!(path.exists(), "`{}` is not built; run `cargo build --workspace`", path.display());

    path
}

/// Returns the agent that scenarios start: the one that was built, or the one for another processor
/// that `tests/cross` puts into `GATEWARD_AGENT`.
///
/// # Panics
///
/// If it was not built.
#[must_use]
pub fn agent() -> PathBuf {
    std::env::var_os("GATEWARD_AGENT").map_or_else(|| built("gateward"), PathBuf::from)
}

/// A program that runs; killed when it is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command`; what it prints is added to the file `log`.
    ///
    /// # Panics
    ///
    /// If it is not installed.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = append_to(log);
        let also = file.try_clone().expect("a file can be opened twice");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(also)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));

        Self { child, log: log.to_owned() }
    }

    /// Returns its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns how much memory it holds, in KiB.
    ///
    /// # Panics
    ///
    /// If it has ended.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the program should be running");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));

        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .expect("a program that runs holds memory")
    }

    /// Returns everything that was printed, by all that were started with the same log.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Returns how it ended, or nothing while it runs.
    ///
    /// # Panics
    ///
    /// If the system does not know.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked about")
    }

    /// Sends a signal.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("the program should be running");
    }

    /// Asks it to end, and returns how it did.
    ///
    /// # Panics
    ///
    /// If it does not end soon.
    pub fn terminate(&mut self) -> ExitStatus {
        if self.ended().is_none() {
            self.signal(Signal::TERM);
        }
        until("the end of a program that was told to end", || self.ended())
    }

    /// Kills it, as a power cut does.
    ///
    /// # Panics
    ///
    /// If it cannot be waited for.
    pub fn kill(&mut self) {
        // It may have ended already, which is what is wanted.
        let _ = self.child.kill();
        self.child.wait().expect("a child can be waited for");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprint_log(&self.log);
        }
    }
}

#[expect(clippy::print_stderr, reason = "whoever looks for the failure needs the program's words")]
fn eprint_log(log: &Path) {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let lines: Vec<_> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n");
    eprintln!("--- the last lines of {}\n{last}\n---", log.display());
}

/// What a program that ran to its end left.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; -1 where a signal ended it.
    pub code: i32,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

impl Ran {
    /// Returns the standard output without white space at the ends.
    ///
    /// # Panics
    ///
    /// If the program did not end with 0.
    #[must_use]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out.trim().to_owned()
    }
}

/// Runs `command` to its end, with `input` on its standard input.
///
/// # Panics
///
/// If it is not installed.
pub fn run(command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    // Whoever does not read its input has said so by closing it.
    let _ = child.stdin.take().expect("it was asked for").write_all(input);
    let output = child.wait_with_output().expect("a child can be waited for");

    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Opens a file to add to it.
pub(crate) fn append_to(path: &Path) -> fs::File {
    OpenOptions::new().create(true).append(true).open(path).expect("a log can be written")
}
