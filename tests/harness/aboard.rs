//! An agent in the process of the test, so that a week passes in no time.
//!
//! It has the files and the sockets of the program; only its clock is the test's.

use std::thread::{self, JoinHandle};

use gateward_agent::clock::{Clock, Simulated};
use gateward_agent::config::Config;
use tokio::sync::oneshot;

/// An agent that runs until this is dropped.
#[derive(Debug)]
pub struct Aboard {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Aboard {
    pub(crate) fn start(config: Config, clock: &Simulated) -> Self {
        let clock = Clock::simulated(clock);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let stop = async {
                let _ = stopped.await;
            };
            let ran =
                runtime.expect("a runtime").block_on(gateward_agent::run(config, clock, stop));
            ran.expect("the agent should end well");
        });

        Self { stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Aboard {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(ended.is_none_or(|ended| ended.is_ok()), "the agent should end well");
        }
    }
}
