//! A gateway: the agent on a thread of its own, and the two sockets at which it is asked.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, anyhow};
use gateward_agent::client::{self, ClientError};
use gateward_agent::clock::Clock;
use gateward_agent::config::Config;
use gateward_control::secret;
use serde_json::Value;
use tokio::sync::oneshot;
use tracing::warn;

use crate::wait::{Missed, same, until};

/// One gateway, with what enrolment made for it.
#[derive(Debug)]
pub(crate) struct Gateway {
    etc: PathBuf,
    state: PathBuf,
    run: PathBuf,
    agent: Option<Agent>,
}

/// An agent that runs; dropped, it is told to stop, and waited for.
#[derive(Debug)]
struct Agent {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Gateway {
    /// Makes its folders in `home`. It is not started.
    pub(crate) fn new(home: &Path, etc: PathBuf) -> Result<Self> {
        let (state, run) = (home.join("state"), home.join("run"));
        secret::make_folder(&state)?;
        secret::make_folder(&run)?;

        Ok(Self { etc, state, run, agent: None })
    }

    /// Returns the socket for decisions.
    pub(crate) fn api(&self) -> PathBuf {
        self.run.join("api.sock")
    }

    /// Returns the socket for operators.
    pub(crate) fn admin(&self) -> PathBuf {
        self.run.join("admin.sock")
    }

    /// Starts the agent and waits until it answers.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let folder = |path: &Path| path.display().to_string();
        let env = [
            ("STATE_DIRECTORY".to_owned(), folder(&self.state)),
            ("RUNTIME_DIRECTORY".to_owned(), folder(&self.run)),
        ];
        let config = Config::load(&self.etc.join("agent.toml"), env.into_iter())?;
        let agent = self.agent.insert(Agent::start(config)?);
        let api = self.run.join("api.sock");

        until("an agent that answers", async || {
            if agent.has_ended() {
                agent.stop().await?;
                return Err(anyhow!("the agent has ended"));
            }
            Ok(match client::get(&api, "/livez").await {
                Ok((200, _)) => Ok(()),
                Ok((status, _)) => Err(format!("status {status}")),
                Err(error) => Err(error.to_string()),
            })
        })
        .await
    }

    /// Stops the agent in good order.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        match self.agent.take() {
            Some(mut agent) => agent.stop().await,
            None => Ok(()),
        }
    }

    /// Asks `/v1/authorize`; returns the answer, which is one.
    pub(crate) async fn authorize(&self, question: &Value) -> Result<Value> {
        answer(client::post_json(&self.api(), "/v1/authorize", question).await)
    }

    /// Returns `/v1/status`.
    pub(crate) async fn status(&self) -> Result<Value> {
        answer(client::get(&self.admin(), "/v1/status").await)
    }

    /// Waits until the status has `value` at `pointer`.
    pub(crate) async fn shows(&self, pointer: &str, value: Value) -> Result<Value> {
        until(&format!("{value} at {pointer} of the status"), async || {
            let status = self.status().await?;
            let found = status.pointer(pointer).cloned().unwrap_or_default();

            Ok(if found == value { Ok(status) } else { Err(found.to_string()) })
        })
        .await
    }

    /// Fails unless `version` is in force and requests are answered from it.
    pub(crate) async fn runs_on(&self, version: u64) -> Result<()> {
        let status = self.status().await?;
        let found = status.pointer("/snapshot/version").and_then(Value::as_u64);
        same("version in force", version, found.unwrap_or_default())?;
        let (ready, _) = client::get(&self.api(), "/readyz").await?;

        same("status of /readyz", 200, ready)
    }
}

fn answer(came: Result<(u16, Vec<u8>), ClientError>) -> Result<Value> {
    let (status, body) = came?;
    if status != 200 {
        let came = format!("{status} {}", String::from_utf8_lossy(&body));
        return Err(Missed { expected: "an answer with status 200".to_owned(), came }.into());
    }

    serde_json::from_slice(&body).context("an answer should be JSON")
}

impl Agent {
    fn start(config: Config) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            // One thread for all of it, as on a gateway.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let stopped = async {
                // Told or dropped: both are the end.
                let _ = stopped.await;
            };

            Ok(runtime.block_on(gateward_agent::run(config, Clock::real(), stopped))?)
        };
        let thread = thread::Builder::new().name("agent".to_owned()).spawn(work)?;

        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }

    fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    async fn stop(&mut self) -> Result<()> {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else { return Ok(()) };

        tokio::task::spawn_blocking(move || join(thread)).await?
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(error)) = self.thread.take().map(join) {
            warn!(%error, "the agent did not end well");
        }
    }
}

fn join(thread: JoinHandle<Result<()>>) -> Result<()> {
    thread.join().map_err(|_| anyhow!("the agent panicked"))?
}
