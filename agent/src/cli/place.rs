//! Where the state of a gateway is, for the commands that look into it or write there.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::config::Config;
use crate::store::Place;

/// A file that a command needs cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`", path.display())]
pub(super) struct Unread {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Unread {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();

        move |source| Self { path, source }
    }

    /// Returns whether it is longer than what belongs there can be.
    pub(super) fn is_too_large(&self) -> bool {
        self.source.kind() == io::ErrorKind::FileTooLarge
    }
}

/// Returns the place that the configuration names, with the state in `dir` where one is given.
pub(super) fn place(config: &Config, dir: Option<PathBuf>) -> Result<Place, Unread> {
    let anchor = fs::read(&config.key_set).map_err(Unread::at(&config.key_set))?;

    Ok(Place {
        account: config.account,
        group: config.group.to_string(),
        dir: dir.unwrap_or_else(|| config.state_dir.clone()),
        anchor,
    })
}

/// Whether the state folder is this user's, or not there yet.
pub(super) fn is_own(dir: &Path) -> bool {
    fs::metadata(dir).map_or(true, |dir| dir.uid() == rustix::process::geteuid().as_raw())
}
