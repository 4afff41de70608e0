//! The whole system in one process: broker, control plane, gateway and collector.
//!
//! They meet only where strangers would: at a broker on loopback over mutual TLS, at the gateway's
//! two sockets, and in the collector's folder. Each line that is printed is an assertion made there;
//! nothing looks into anybody's memory. Keys and folders are thrown away at the end.

mod board;
mod collector;
mod control;
mod gateway;
mod lines;
mod people;
mod wait;
mod world;

use std::io;

use anyhow::{Context as _, Result};
use clap::Parser;
use gateward_control::exit::Exit;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::board::Board;
use crate::world::World;

/// Shows the whole system at work; every line is an assertion, and 1 the end where one fails.
#[derive(Debug, Parser)]
#[command(name = "gateward-demo", version)]
struct Args {
    /// Leave everything running afterwards, and print how to ask it
    #[arg(long)]
    keep: bool,
}

fn main() -> Exit {
    let args = Args::parse();
    let mut board = Board::new();
    let shown = log().and_then(|()| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("no threads to run on")?;
        runtime.block_on(show(args.keep, &mut board))
    });

    shown.unwrap_or_else(|error| {
        board.give_up(&error);
        Exit::Internal
    })
}

/// Shows everything; a line that fails has been printed and makes the end a [`Exit::No`].
async fn show(keep: bool, board: &mut Board) -> Result<Exit> {
    let mut stop = Stop::new()?;
    let mut world = World::start().await?;
    let told = tokio::select! {
        told = lines::tell(&mut world, board) => told,
        () = stop.requested() => Ok(Exit::No),
    }?;
    if keep && told == Exit::Success {
        board.keep(&world)?;
        stop.requested().await;
    }
    world.end().await?;

    Ok(told)
}

/// Everybody's log goes to standard error, where `GATEWARD_LOG` asks for it.
fn log() -> Result<()> {
    let Some(wanted) = std::env::var_os("GATEWARD_LOG").filter(|wanted| !wanted.is_empty()) else {
        return Ok(());
    };
    let wanted = wanted.to_string_lossy();
    let filter = EnvFilter::try_new(&wanted)
        .with_context(|| format!("GATEWARD_LOG is `{wanted}`; write a level such as `info`"))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();

    Ok(())
}

/// Ctrl-c, or the signal that ends a service.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be heard");

        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
