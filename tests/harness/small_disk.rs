//! A small disk that one scenario has to itself: a tmpfs that can be filled, and be made read-only.
//!
//! A shell mounts it where nobody else sees it and ends with the test, and the disk with the shell. Root
//! may do that, anybody may where the system has namespaces for users, and `sudo` helps where it has not.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Who may mount, in the order in which it is tried. What the last one mounts everybody sees.
const WAYS: [&[&str]; 3] = [
    &["unshare", "--mount", "sh"],
    &["unshare", "--map-root-user", "--mount", "sh"],
    &["sudo", "--non-interactive", "sh"],
];

/// A disk that is there until this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    shell: Shell,
    /// What the shell calls it.
    mounted: PathBuf,
    /// What everybody else calls it.
    place: PathBuf,
}

impl SmallDisk {
    /// Makes a disk of so many MiB, mounted on `folder`, which is empty.
    ///
    /// # Panics
    ///
    /// If nobody may: a disk that is not full proves nothing about one that is.
    #[must_use]
    pub fn new(mib: u32, folder: &Path) -> Self {
        fs::create_dir(folder).expect("a folder can be made");
        let mut refusals = Vec::new();
        for way in WAYS {
            let Some(mut shell) = Shell::start(way) else { continue };
            let mounted = folder.display();
            let mount = format!("mount -t tmpfs -o size={mib}m,mode=0777 small-disk '{mounted}'");
            if let Err(refused) = shell.does(&mount) {
                refusals.push(format!("{way:?}: {refused}"));
                continue;
            }
            let own = PathBuf::from(format!("/proc/{}/root{mounted}", shell.child.id()));
            let place = if way.contains(&"--mount") { own } else { folder.to_owned() };
            shell.does(&format!("trap \"umount -l '{mounted}'\" EXIT")).expect("a shell has traps");
            return Self { shell, mounted: folder.to_owned(), place };
        }

        panic!("nobody may mount a small disk here, so a full one cannot be tried: {refusals:?}");
    }

    /// Returns its folder.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    ///
    /// If the disk fails otherwise.
    pub fn fill(&self) {
        let path = self.place.join("filler");
        let mut file = File::options().create(true).append(true).open(path).expect("a file");
        loop {
            match file.write_all(&[1; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("the disk should be full: {error}"),
            }
        }
    }

    /// Gives back what [`Self::fill`] took.
    ///
    /// # Panics
    ///
    /// If nothing was taken.
    pub fn free(&self) {
        fs::remove_file(self.place.join("filler")).expect("it was filled");
    }

    /// Lets nobody write any more, or again.
    ///
    /// # Panics
    ///
    /// If somebody has a file open for writing.
    pub fn is_read_only(&mut self, read_only: bool) {
        let how = if read_only { "ro" } else { "rw" };
        let remount = format!("mount -o remount,{how} '{}'", self.mounted.display());
        self.shell.does(&remount).expect("who mounted it may change that");
    }
}

/// A shell that is told what to do, line by line, and ends when nobody is there to tell it more.
#[derive(Debug)]
struct Shell {
    child: Child,
    asks: Option<ChildStdin>,
    says: BufReader<ChildStdout>,
}

impl Shell {
    /// Nothing where such a program is not installed.
    fn start(way: &[&str]) -> Option<Self> {
        let (program, args) = way.split_first()?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        let asks = child.stdin.take();
        let says = BufReader::new(child.stdout.take()?);

        Some(Self { child, asks, says })
    }

    /// Returns what it said where the command failed, or where there is no shell.
    fn does(&mut self, command: &str) -> Result<(), String> {
        let asks = self.asks.as_mut().expect("it is told to end last");
        // A shell that has ended says nothing, which is seen below.
        let _ = writeln!(asks, "{command} 2>&1; echo \"= $?\"");
        let mut said = String::new();
        loop {
            let mut line = String::new();
            match self.says.read_line(&mut line) {
                Ok(0) | Err(_) => return Err(format!("{said}no shell")),
                Ok(_) if line.trim() == "= 0" => return Ok(()),
                Ok(_) if line.starts_with("= ") => return Err(said),
                Ok(_) => said.push_str(&line),
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.asks.take());
        let _ = self.child.wait();
    }
}
