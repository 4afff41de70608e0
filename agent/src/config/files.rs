//! Where files are, and whether they can be used.

use core::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The longest path that a Unix socket can have, in bytes.
const SOCKET_MAX: usize = 107;

/// Where relative paths start and where systemd has put things.
#[derive(Debug)]
pub(super) struct Places {
    folder: PathBuf,
    state: Option<PathBuf>,
    runtime: Option<PathBuf>,
    credentials: Option<PathBuf>,
}

impl Places {
    /// Takes the places from the path of the configuration and from the environment.
    pub(super) fn new(config: &Path, env: &[(String, String)]) -> Self {
        let folder = match config.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        // Systemd separates several folders by colons and never gives a relative one.
        let find = |name: &str| {
            let (_, value) = env.iter().find(|(found, _)| found == name)?;
            let path = PathBuf::from(value.split(':').next()?);
            path.is_absolute().then_some(path)
        };
        let (state, runtime) = (find("STATE_DIRECTORY"), find("RUNTIME_DIRECTORY"));

        Self { folder, state, runtime, credentials: find("CREDENTIALS_DIRECTORY") }
    }

    /// Returns where the state is unless the operator says.
    pub(super) fn state_dir(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| PathBuf::from("/var/lib/gateward"))
    }

    /// Returns where the socket called `name` is unless the operator says.
    pub(super) fn socket(&self, name: &str) -> PathBuf {
        self.runtime.as_deref().unwrap_or(Path::new("/run/gateward")).join(name)
    }

    /// Returns where the file called `name` is unless the operator says: among the credentials if
    /// it is there.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        let credential = self.credentials.as_deref().map(|folder| folder.join(name));
        credential
            .filter(|path| path.exists())
            .unwrap_or_else(|| Path::new("/etc/gateward").join(name))
    }

    /// Returns where `path`, as the operator wrote it, is.
    pub(super) fn resolve(&self, path: &str) -> Result<PathBuf, &'static str> {
        if path.is_empty() || path.contains('\0') {
            return Err("write the path of a file");
        }
        Ok(self.folder.join(path))
    }

    /// Looks whether the agent can read the file at `path`.
    pub(super) fn look(&self, path: &Path, kind: Kind) -> Result<(), Unusable> {
        let unreadable = |error: io::Error| Unusable::Unreadable(error.to_string());
        let facts = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unusable::Gone),
            facts => facts.map_err(unreadable)?,
        };
        if !facts.is_file() {
            return Err(Unusable::NotAFile);
        }
        File::open(path).map_err(unreadable)?;

        let mode = facts.permissions().mode() & 0o7777;
        // Among the credentials of systemd the group bits are the mask of an access list.
        let guarded = self.credentials.as_deref().is_some_and(|folder| path.starts_with(folder));
        if kind == Kind::Secret && mode & 0o077 != 0 && !guarded {
            return Err(Unusable::Exposed { path: path.to_owned(), mode });
        }
        Ok(())
    }
}

/// Checks the path of a Unix socket.
pub(super) fn socket(path: PathBuf) -> Result<PathBuf, String> {
    let len = path.as_os_str().len();
    if len > SOCKET_MAX {
        return Err(format!("it has {len} bytes; the system takes at most {SOCKET_MAX}"));
    }
    Ok(path)
}

/// Whether others may know what a file says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Public,
    Secret,
}

/// Why a file cannot be used.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Unusable {
    /// A secret that others may read.
    Exposed { path: PathBuf, mode: u32 },
    /// There is nothing.
    Gone,
    /// A folder, a device or something else.
    NotAFile,
    /// It is not for this user, or the folder that it is in is not.
    Unreadable(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exposed { path, mode } => write!(
                f,
                "its mode is {mode:04o}, so others can get at this secret: \
                 run `chmod 600 {}`",
                path.display()
            ),
            Self::Gone => f.write_str("no such file: put it there"),
            Self::NotAFile => f.write_str("this is no file: name the file itself"),
            Self::Unreadable(why) => {
                write!(f, "cannot be read ({why}): give it to the user that runs the agent")
            }
        }
    }
}
