//! Why the store did not do what it was told.

use std::io;
use std::path::{Path, PathBuf};

use gateward_core::snapshot::delta::NotApplied;
use gateward_core::{snapshot, trust};

use super::slot::Unusable;

/// Why the agent cannot start on a state folder.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailed {
    /// The key set installed at enrolment is not one of this account.
    #[error("the key set installed at enrolment is refused: {0}; enrol the gateway again")]
    Anchor(trust::Refused),
    /// The folder cannot be read or written.
    #[error("cannot use the state folder `{}`; it must belong to the agent's user", dir.display())]
    Io {
        /// Which folder.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another agent runs on it.
    #[error("another agent runs on `{}`; stop it, or give this one its own `state_dir`", dir.display())]
    Locked {
        /// Which folder.
        dir: PathBuf,
    },
}

impl OpenFailed {
    pub(super) fn io(dir: &Path, source: io::Error) -> Self {
        Self::Io { dir: dir.into(), source }
    }
}

/// Why a key set was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// It could not be written.
    #[error("cannot write the key set")]
    Io(#[from] io::Error),
    /// It does not follow the one held.
    #[error("{0}")]
    Refused(trust::Refused),
}

impl From<trust::Refused> for NotAdmitted {
    fn from(refused: trust::Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Why nothing came of a delta.
#[derive(Debug, thiserror::Error)]
pub enum NotPatched {
    /// The disk is full or fails; it may work later.
    #[error("cannot write the snapshot")]
    Io(#[from] io::Error),
    /// Nothing is in force.
    #[error("no snapshot is in force; fetch the whole one")]
    NoBase,
    /// It is not a delta, or not for the snapshot in force.
    #[error("{0}")]
    NotApplied(NotApplied),
    /// The manifest names a file of another length.
    #[error("gives a file of another length than was signed; fetch the whole snapshot")]
    OtherLength,
}

impl From<NotApplied> for NotPatched {
    fn from(why: NotApplied) -> Self {
        Self::NotApplied(why)
    }
}

/// Why a snapshot was not put in force.
#[derive(Debug, thiserror::Error)]
pub enum NotStored {
    /// The disk is full or fails; it may work later.
    #[error("cannot write the snapshot")]
    Io(#[from] io::Error),
    /// The manifest may not follow what was accepted.
    #[error("{0}")]
    NotAdmitted(trust::Refused),
    /// No room was made for it.
    #[error("no room was made for this snapshot; begin it first")]
    NotBegun,
    /// The file is not what its manifest says, or not usable.
    #[error("{0}")]
    Refused(snapshot::Refused),
}

impl From<Unusable> for NotStored {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Io(error) => Self::Io(error),
            Unusable::Refused(refused) => Self::Refused(refused),
        }
    }
}
