//! A gateway: the agent as an operator starts it, with what `enroll` made for it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use gateward_agent::clock::Simulated;
use gateward_agent::config::Config;
use serde_json::Value;

use crate::aboard::Aboard;
use crate::http::{self, Answer, At};
use crate::program::{Program, Ran, agent, append_to, run};
use crate::wait::{Stopwatch, until};

/// One gateway. It is not started when it is made.
#[derive(Debug)]
pub struct Gateway {
    name: String,
    etc: PathBuf,
    home: PathBuf,
    state: PathBuf,
    logs: PathBuf,
    settings: Vec<(String, String)>,
    program: Option<Program>,
}

impl Gateway {
    pub(crate) fn new(name: &str, etc: PathBuf, home: PathBuf, logs: PathBuf) -> Self {
        for folder in ["state", "run"] {
            fs::create_dir_all(home.join(folder)).expect("a folder can be made");
        }

        let (name, state) = (name.to_owned(), home.join("state"));

        Self { name, etc, home, state, logs, settings: Vec::new(), program: None }
    }

    /// Moves what must survive a restart elsewhere, where it is kept from now on.
    ///
    /// # Panics
    ///
    /// If it runs.
    pub fn keep_state_in(&mut self, folder: &Path) {
        assert!(self.program.is_none(), "it runs");
        let copied = Command::new("cp").arg("-a").args([&self.state, folder]).status();
        assert!(copied.is_ok_and(|status| status.success()), "a copy of the state");
        folder.clone_into(&mut self.state);
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets one setting, such as `AUDIT__DURABILITY`, for the commands and starts that follow.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.push((format!("GATEWARD__{key}"), value.to_owned()));
    }

    /// Sets one variable of the environment for the commands and starts that follow.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Returns the folder with its configuration and its secrets.
    #[must_use]
    pub fn etc(&self) -> &Path {
        &self.etc
    }

    /// Returns the folder with everything that must survive a restart.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.state.clone()
    }

    /// Returns the socket for decisions.
    #[must_use]
    pub fn api(&self) -> PathBuf {
        self.home.join("run/api.sock")
    }

    /// Returns the socket for operators.
    #[must_use]
    pub fn admin(&self) -> PathBuf {
        self.home.join("run/admin.sock")
    }

    /// Starts the agent and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn start(&mut self) {
        let mut command = self.command(&agent(), &["run"]);
        command.env("GATEWARD_LOG", "debug").env("GATEWARD_LOG_FORMAT", "text");
        let log = self.logs.join(format!("{}.log", self.name));
        let mut program = Program::start(&mut command, &log);
        let api = At::Socket(self.api());
        until("an agent that answers", || {
            assert!(program.ended().is_none(), "the agent ended: {}", program.log());
            http::send(&api, "GET", "/livez", &[], b"").ok().filter(|a| a.status == 200)
        });
        self.program = Some(program);
    }

    /// Starts the agent and waits until it decides.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn start_ready(&mut self) {
        self.start();
        self.is_ready();
    }

    /// Runs the agent in this process by the test's clock, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[must_use]
    pub fn start_by(&self, clock: &Simulated) -> Aboard {
        let folder = |path: PathBuf| path.display().to_string();
        let folders = [
            ("STATE_DIRECTORY".to_owned(), folder(self.state())),
            ("RUNTIME_DIRECTORY".to_owned(), folder(self.home.join("run"))),
        ];
        let env = folders.into_iter().chain(self.settings.iter().cloned());
        let config = Config::load(&self.etc.join("agent.toml"), env).expect("a good configuration");
        let aboard = Aboard::start(config, clock);
        until("an agent that answers", || {
            assert!(!aboard.has_ended(), "the agent ended");
            http::send(&At::Socket(self.api()), "GET", "/livez", &[], b"").ok()
        });

        aboard
    }

    /// Waits until it has a snapshot to decide with.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub fn is_ready(&self) {
        until("a gateway that is ready", || (self.get("/readyz").status == 200).then_some(()));
    }

    /// Tells the agent to end, and returns how it did.
    ///
    /// # Panics
    ///
    /// If it does not run, or does not end.
    pub fn stop(&mut self) -> ExitStatus {
        self.program.take().expect("the agent should be running").terminate()
    }

    /// Kills the agent, as a power cut does.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn kill(&mut self) {
        self.program.take().expect("the agent should be running").kill();
    }

    /// Returns whether the agent runs.
    pub fn runs(&mut self) -> bool {
        self.program.as_mut().is_some_and(|program| program.ended().is_none())
    }

    /// Returns the agent's process.
    ///
    /// # Panics
    ///
    /// If it does not run.
    #[must_use]
    pub fn program(&self) -> &Program {
        self.program.as_ref().expect("the agent should be running")
    }

    /// Returns what the agent has logged, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        let log = self.logs.join(format!("{}.log", self.name));

        String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
    }

    /// Sends a request to the socket for decisions.
    ///
    /// # Errors
    ///
    /// Nobody answers.
    pub fn try_send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let answer = http::send(&At::Socket(self.api()), method, target, headers, body)?;
        self.keep(&answer);

        Ok(answer)
    }

    /// Asks for `target` at the socket for decisions.
    ///
    /// # Panics
    ///
    /// If nobody answers.
    #[must_use]
    pub fn get(&self, target: &str) -> Answer {
        self.try_send("GET", target, &[], b"").expect("the agent should answer")
    }

    /// Asks `/v1/authorize`.
    ///
    /// # Panics
    ///
    /// If nobody answers.
    #[must_use]
    pub fn authorize(&self, question: &Value) -> Answer {
        let json = [("content-type", "application/json")];
        let body = question.to_string();

        self.try_send("POST", "/v1/authorize", &json, body.as_bytes())
            .expect("the agent should answer")
    }

    /// Returns whether a token may do what a permission stands for; nothing while the agent cannot
    /// decide.
    #[must_use]
    pub fn allows(&self, token: &str, permission: &str) -> Option<bool> {
        let question = serde_json::json!({ "token": token, "permission": permission });
        let answer = self.authorize(&question);

        (answer.status == 200).then(|| answer.json().get("allow").and_then(Value::as_bool))?
    }

    /// Asks `/v1/auth/nginx` with these headers.
    ///
    /// # Panics
    ///
    /// If nobody answers.
    #[must_use]
    pub fn nginx(&self, headers: &[(&str, &str)]) -> Answer {
        self.try_send("GET", "/v1/auth/nginx", headers, b"").expect("the agent should answer")
    }

    /// Asks the socket for operators.
    ///
    /// # Panics
    ///
    /// If nobody answers.
    #[must_use]
    pub fn operator(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        let json = [("content-type", "application/json")];
        let answer = http::send(&At::Socket(self.admin()), method, target, &json, body)
            .expect("the agent should answer");
        self.keep(&answer);

        answer
    }

    /// Returns `/v1/status`.
    #[must_use]
    pub fn status(&self) -> Value {
        self.operator("GET", "/v1/status", b"").json()
    }

    /// Returns the version in force.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.status().pointer("/snapshot/version").and_then(Value::as_u64)
    }

    /// Waits until `version` is in force; returns how long that took.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub fn reaches(&self, version: u64) -> Stopwatch {
        let watch = Stopwatch::start();
        until("a version in force", || (self.version() >= Some(version)).then_some(()));
        assert_eq!(self.version(), Some(version));

        watch
    }

    /// Runs a command of `gateward` to its end.
    #[must_use]
    pub fn cli(&self, args: &[&str]) -> Ran {
        self.cli_with(args, b"")
    }

    /// Runs a command of `gateward` to its end, with `input` on its standard input.
    #[must_use]
    pub fn cli_with(&self, args: &[&str], input: &[u8]) -> Ran {
        self.cli_of(&agent(), args, input)
    }

    /// The same with any program that is an agent.
    #[must_use]
    pub fn cli_of(&self, agent: &Path, args: &[&str], input: &[u8]) -> Ran {
        let ran = run(&mut self.command(agent, args), input);
        self.note(&format!("$ gateward {}\n{}{}", args.join(" "), ran.out, ran.err));

        ran
    }

    /// Returns a command of `gateward` that the test starts itself.
    #[must_use]
    pub fn prepared(&self, args: &[&str]) -> Command {
        self.command(&agent(), args)
    }

    fn command(&self, agent: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(agent);
        command
            .args(args)
            .arg("--config")
            .arg(self.etc.join("agent.toml"))
            .env_clear()
            .env("STATE_DIRECTORY", self.state())
            .env("RUNTIME_DIRECTORY", self.home.join("run"))
            .envs(self.settings.iter().cloned());

        command
    }

    /// Keeps every answer, for the test that looks for secrets in them.
    fn keep(&self, answer: &Answer) {
        use std::io::Write as _;
        let mut file = append_to(&self.logs.join("answers.log"));
        file.write_all(&answer.raw).expect("a log can be written");
    }

    fn note(&self, text: &str) {
        use std::io::Write as _;
        let mut file = append_to(&self.logs.join("commands.log"));
        file.write_all(text.as_bytes()).expect("a log can be written");
    }
}
