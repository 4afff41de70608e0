//! A real mosquitto, from the configuration that we hand out, and what the kernel says it has used.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail, ensure};
use gateward_control::enroll::ACCESS;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::account::HOST;
use crate::usage::{self, Usage};
use crate::wait::until;

/// What operators start from.
const CONF: &str = include_str!("../../broker/mosquitto.conf");
/// The line of it that is replaced.
const LISTENER: &str = "listener 8883\n";
/// What it prints.
const LOG: &str = "mosquitto.log";
/// Where it keeps what is retained.
const SAVED: &str = "mosquitto.db";

/// A running broker on a port of its own, which it keeps when it is started again.
#[derive(Debug)]
pub(crate) struct Broker {
    program: PathBuf,
    dir: PathBuf,
    port: u16,
    child: Child,
    /// When it was started.
    started: Mark,
}

impl Broker {
    /// Starts a broker in `dir`, where certificate, key, authority and access list are.
    pub(crate) async fn start(program: &Path, dir: &Path) -> Result<Self> {
        ensure!(CONF.contains(LISTENER), "systems/broker/mosquitto.conf has no `{LISTENER}`");
        // Between finding a free port and mosquitto taking it, another program may; then try again.
        for _ in 0..8 {
            let port = free_port().await?;
            let conf = CONF.replace(LISTENER, &format!("listener {port} {HOST}\n"));
            // Started by root it would give up the right to read the key.
            fs::write(dir.join("mosquitto.conf"), format!("{conf}\nuser root\n"))?;
            let (program, dir) = (program.to_owned(), dir.to_owned());
            let started = mark(&dir, None);
            let child = spawn(&program, &dir)?;
            let mut broker = Self { program, dir, port, child, started };
            if broker.comes_up().await? {
                return Ok(broker);
            }
        }
        bail!("mosquitto does not come up: {}", said(dir));
    }

    /// Returns what the program calls itself.
    pub(crate) fn version(&self) -> String {
        let asked = Command::new(&self.program).arg("-h").output();
        let text = asked.map(|output| output.stdout).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();

        text.lines().next().unwrap_or("mosquitto").replace("version ", "")
    }

    /// Returns the port.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Adds lines to the access list, and has it read again.
    pub(crate) fn grant(&self, lines: &str) -> Result<()> {
        let path = self.dir.join(ACCESS);
        let old = fs::read_to_string(&path)?;
        fs::write(path, old + lines)?;

        self.signal(Signal::HUP)
    }

    /// Stops it in good order; it saves what is retained.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let child = &mut self.child;

        until("the end of mosquitto", async || Ok(child.try_wait()?.map(drop))).await
    }

    /// Kills it, as a power cut does; what it has not saved is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;

        Ok(())
    }

    /// Starts it again on the same port, and waits until it takes connections.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        self.started = mark(&self.dir, None);
        self.child = spawn(&self.program, &self.dir)?;
        ensure!(self.comes_up().await?, "mosquitto does not come up again: {}", said(&self.dir));

        Ok(())
    }

    async fn comes_up(&mut self) -> Result<bool> {
        let port = self.port;
        let child = &mut self.child;
        loop {
            if child.try_wait()?.is_some() {
                return Ok(false);
            }
            if let Ok(mut probe) = TcpStream::connect((HOST, port)).await {
                // The kernel connects before mosquitto listens to signals, and a hangup would end it;
                // that it closes what said nothing shows that it is at work.
                let _ = probe.shutdown().await;
                let _ = probe.read_u8().await;
                return Ok(child.try_wait()?.is_none());
            }
            tokio::time::sleep(crate::wait::STEP).await;
        }
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);

        Ok(kill_process(pid.context("a process has an id")?, signal)?)
    }

    /// Returns what the process has used by now.
    pub(crate) fn mark(&self) -> Mark {
        mark(&self.dir, Some(self.child.id()))
    }

    /// Returns what the process has used since it was started.
    pub(crate) fn since_start(&self) -> Usage {
        self.since(&self.started)
    }

    /// Returns what the process has used since `before`, when it was running already.
    ///
    /// What it has written is what went to others, as on the wire but for the headers of TCP and
    /// IP: what it wrote into its own files is taken off.
    pub(crate) fn since(&self, before: &Mark) -> Usage {
        let now = self.mark();
        let mut usage = now.usage.since(&before.usage);
        let log = now.log.saturating_sub(before.log);
        let saved = now.saved.filter(|_| now.saved != before.saved).map_or(0, |(_, bytes)| bytes);
        usage.written = usage.written.saturating_sub(log).saturating_sub(saved);

        usage
    }
}

/// What a broker had used at some moment.
#[derive(Debug)]
pub(crate) struct Mark {
    usage: Usage,
    log: u64,
    /// When it saved last, and how much that was.
    saved: Option<(SystemTime, u64)>,
}

fn mark(dir: &Path, process: Option<u32>) -> Mark {
    let file = |name: &str| fs::metadata(dir.join(name)).ok();
    let saved = file(SAVED).and_then(|file| Some((file.modified().ok()?, file.len())));
    let usage = process.map(|id| usage::of_process(&id.to_string())).unwrap_or_default();

    Mark { usage, log: file(LOG).map_or(0, |file| file.len()), saved }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &Path, dir: &Path) -> Result<Child> {
    let log = OpenOptions::new().create(true).append(true).open(dir.join(LOG))?;
    let mut command = Command::new(program);
    command.args(["-c", "mosquitto.conf"]).current_dir(dir).stdin(Stdio::null());
    command.stdout(log.try_clone()?).stderr(log);

    command.spawn().with_context(|| {
        format!(
            "`{}` cannot be started; install mosquitto or name it with --broker",
            program.display()
        )
    })
}

fn said(dir: &Path) -> String {
    let text = fs::read_to_string(dir.join(LOG)).unwrap_or_default();

    text.lines().last().unwrap_or("it says nothing").to_owned()
}

async fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((HOST, 0)).await?.local_addr()?.port())
}
