//! A bundle takes the same way as what a broker brings: key sets one by one, the revocation list,
//! then the manifest and its snapshot.

use std::io;

use gateward_core::name::Hex;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::{Admission, Refused, Root, Version};
use serde_json::{Value, json};

use super::bundle::{BadBundle, Checked};
use super::{Missing, NotAdmitted, NotStored, Store};
use crate::now::Timekeeper;

/// What became of a bundle that was taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Imported {
    /// What became of its snapshot.
    pub outcome: Outcome,
    /// Version of the snapshot in force.
    pub version: Version,
    /// Its root.
    pub root: Root,
    /// Epoch of the newest key set held.
    pub keys: u32,
    /// Number of the revocation list held.
    pub revoked: Version,
    /// What is known to be missing still.
    pub missing: Option<Missing>,
}

/// What became of the snapshot in a bundle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was in force before.
    Already,
    /// It is in force.
    InForce,
    /// It was in force before, and is valid for longer now.
    Refreshed,
    /// It is kept, and nothing is decided with it before what is missing is there.
    Withheld,
}

impl Imported {
    /// Returns what is told to whoever asked for it.
    #[must_use]
    pub fn report(&self) -> Value {
        let outcome = match self.outcome {
            Outcome::Already => "already_in_force",
            Outcome::InForce => "in_force",
            Outcome::Refreshed => "refreshed",
            Outcome::Withheld => "withheld",
        };

        json!({
            "outcome": outcome,
            "epoch": self.version.epoch,
            "version": self.version.number,
            "root": Hex(&self.root.0).to_string(),
            "key_set": self.keys,
            "revoked": { "epoch": self.revoked.epoch, "counter": self.revoked.number },
            "missing": self.missing.map(|missing| missing.to_string()),
        })
    }
}

/// Why the snapshot in force stays. Key sets and a revocation list that came before what was refused
/// count, as they would from a broker.
#[derive(Debug, thiserror::Error)]
pub enum NotImported {
    /// A part of it is not as it was signed, or not for this gateway; nothing of it counts.
    #[error(transparent)]
    Bad(#[from] BadBundle),
    /// It could not be read or kept.
    #[error("cannot keep the bundle; make room on the disk, and see that it is healthy")]
    Io(#[from] io::Error),
    /// It may not follow what was accepted.
    #[error("{0}")]
    Refused(Refused),
    /// The file is not usable here.
    #[error("its snapshot: {0}")]
    Unusable(gateward_core::snapshot::Refused),
}

impl NotImported {
    /// Returns the name in records and answers.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Bad(bad) => bad.code(),
            Self::Io(_) => "storage_failed",
            Self::Refused(refused) => refused.code(),
            Self::Unusable(refused) => refused.code(),
        }
    }
}

impl From<NotAdmitted> for NotImported {
    fn from(not: NotAdmitted) -> Self {
        match not {
            NotAdmitted::Io(error) => Self::Io(error),
            NotAdmitted::Refused(refused) => Self::Refused(refused),
        }
    }
}

impl From<NotStored> for NotImported {
    fn from(not: NotStored) -> Self {
        match not {
            NotStored::Io(error) => Self::Io(error),
            NotStored::NotAdmitted(refused) => Self::Refused(refused),
            NotStored::NotBegun => Self::Io(io::ErrorKind::NotFound.into()),
            NotStored::Refused(refused) => Self::Unusable(refused),
        }
    }
}

impl Store {
    /// Takes what is newer in a bundle, and puts its snapshot in force.
    ///
    /// # Errors
    ///
    /// Returns why the snapshot in force stays.
    pub fn import(&mut self, bytes: &[u8], time: &Timekeeper) -> Result<Imported, NotImported> {
        let checked = Checked::new(bytes, self.keys(), self.audience())?;
        self.keep_up(time);
        for envelope in &checked.key_sets {
            self.accept_keys(envelope)?;
            // A key set may set time back, so the next one is accepted into that.
            time.follow(self.floor());
            self.keep_up(time);
        }
        if !checked.parts.revoked.is_empty() {
            match self.accept_revoked(checked.parts.revoked) {
                // A newer one is held.
                Err(NotAdmitted::Refused(Refused::Rollback { .. })) | Ok(_) => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        let outcome = self.take(&checked, time)?;
        time.follow(self.floor());

        Ok(Imported {
            outcome,
            version: checked.manifest.version(),
            root: checked.manifest.root(),
            keys: self.keys().epoch(),
            revoked: self.revoked_number(),
            missing: self.missing(),
        })
    }

    /// Puts the snapshot in force where the floor lets it.
    fn take(&mut self, checked: &Checked<'_>, time: &Timekeeper) -> Result<Outcome, NotImported> {
        let (now, envelope) = (time.now(), checked.parts.manifest);
        let (manifest, admission) = self.admit(envelope, &now).map_err(NotImported::Refused)?;
        let in_force = self.in_force.borrow().is_some();
        match admission {
            Admission::Same if in_force => return Ok(Outcome::Already),
            Admission::Refresh if in_force => {
                self.refresh(&manifest, envelope, &now)?;
                return Ok(Outcome::Refreshed);
            }
            Admission::Newer | Admission::Refresh | Admission::Same => {}
        }
        let kept = self.begin(&manifest, &checked.list)?;
        let chunks = checked.parts.file.chunks(1 << manifest.chunk_log2());
        for (index, chunk) in (0..).zip(chunks) {
            if kept.binary_search(&index).is_err() {
                self.keep_chunk(index, chunk)?;
            }
        }
        self.commit(&manifest, envelope, &now)?;
        let serves = self.in_force.borrow().is_some();

        Ok(if serves { Outcome::InForce } else { Outcome::Withheld })
    }

    /// Brings the floor up to date: whatever is accepted next is accepted into one that knows how
    /// late it is.
    pub(crate) fn keep_up(&mut self, time: &Timekeeper) {
        let current = self.in_force.borrow().clone();
        let until = current.map_or(UnixSeconds(0), |now| now.verified.manifest().expires_at());
        self.bring_up_to_date(time.kept(self.floor(), until));
        time.follow(self.floor());
    }
}
