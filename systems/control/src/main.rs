//! `gateward-control`: the program beside the control plane.

use clap::Parser as _;
use gateward_control::cli::Cli;
use gateward_control::exit::Exit;

fn main() -> Exit {
    Cli::parse().run()
}
