//! Writes what tests in C embed: envelopes, snapshots and cases, the same bytes every time.
#![expect(clippy::print_stderr, reason = "a command line says what it lacks")]

use std::io;
use std::path::Path;
use std::process::ExitCode;

use gateward_firmware_tests::plant::Plant;
use gateward_firmware_tests::{c, fixtures};

fn main() -> ExitCode {
    let Some(to) = std::env::args_os().nth(1) else {
        eprintln!("usage: fixtures OUT_DIR");
        return ExitCode::from(2);
    };

    match write(Path::new(&to)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", Path::new(&to).display());
            ExitCode::FAILURE
        }
    }
}

fn write(to: &Path) -> io::Result<()> {
    let plant = Plant::draw();
    let files = fixtures::files(&plant);
    std::fs::create_dir_all(to)?;
    for (name, bytes) in &files {
        std::fs::write(to.join(format!("{name}.bin")), bytes)?;
    }
    std::fs::write(to.join("fixtures.h"), c::header(&files))?;
    std::fs::write(to.join("fixtures.c"), c::arrays(&files))?;

    std::fs::write(to.join("cases.h"), c::cases(&plant.cases))
}
