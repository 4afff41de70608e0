//! Thousands of gateways in one process against a real broker: how soon a revocation is refused.
//!
//! Each one is the agent's own link, sync task and store with a connection and a certificate of its
//! own; the broker is mosquitto; the control plane publishes as ever. Where requests would come in, a
//! witness decides about the watched tokens in the moment that what is in force changes. The sockets,
//! the journal, the upload of audit and the cache of each gateway are left out (decision 0044).
//!
//! ```text
//!                              gateways  publish    first      p50      p99  longest  all new  to each     from   broker      own
//!                                             ms       ms       ms       ms       ms       ms    bytes    bytes   CPU ms   CPU ms
//! connected                        2000               102      306      498      670    10869    53177     5071     6980     7420
//! revocation 1                     2000     1883       39      405      615      621     1944     1451      674      580     2560
//! ```

mod account;
mod args;
mod board;
mod broker;
mod cable;
mod figures;
mod files;
mod fleet;
mod gateway;
mod ledger;
mod story;
mod usage;
mod wait;
mod witness;

use std::io;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use gateward_control::exit::Exit;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::args::Args;
use crate::board::Board;
use crate::wait::Missed;

fn main() -> Exit {
    let args = Args::parse();
    let mut board = Board::new(args.format);
    let told = log().and_then(|()| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("no threads to run on")?;
        runtime.block_on(tell(&args, &mut board))
    });
    let exit = match &told {
        Ok(()) => Exit::Success,
        Err(error) if error.downcast_ref::<Missed>().is_some() => Exit::No,
        Err(_) => Exit::Unavailable,
    };
    board.end(told.err().as_ref());

    exit
}

/// Tells the story until somebody has heard enough: then everything that was started ends.
async fn tell(args: &Args, board: &mut Board) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        told = story::tell(args, board) => told,
        _ = interrupt.recv() => Err(Missed("interrupted".to_owned()).into()),
        _ = terminate.recv() => Err(Missed("told to end".to_owned()).into()),
    }
}

/// Everybody's log goes to standard error, where `GATEWARD_LOG` asks for it.
fn log() -> Result<()> {
    let Some(wanted) = std::env::var_os("GATEWARD_LOG").filter(|wanted| !wanted.is_empty()) else {
        return Ok(());
    };
    let filter = EnvFilter::try_new(wanted.to_string_lossy())
        .context("GATEWARD_LOG should be a level such as `info`")?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();

    Ok(())
}
