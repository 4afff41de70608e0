//! The program `gateward`: command line in, exit code out.

use gateward_agent::cli::{self, Exit};

fn main() -> Exit {
    cli::main()
}
