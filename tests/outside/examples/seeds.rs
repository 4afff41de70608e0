//! Writes the seeds of every target into its corpus.

use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    for (target, name, bytes) in gateward_outside::seeds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)?;
    }

    Ok(())
}
