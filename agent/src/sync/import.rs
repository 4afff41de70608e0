//! A bundle that an operator brought: taken by the task that owns the store, so that it is in force
//! at once and told like what a broker brings.

use std::fs::File;
use std::io::{self, Seek as _};

use gateward_core::trust::Version;
use tokio::sync::oneshot;
use tracing::info;

use super::{Ask, Notice, Sync};
use crate::store::{Imported, NotImported, Outcome, bundle};

/// How much of what is refused is kept as evidence.
const EVIDENCE: usize = 64 * 1024;

/// A bundle to be taken, and where to tell what became of it.
#[derive(Debug)]
pub struct Import {
    /// The bundle, as long as it may be.
    pub bundle: File,
    /// Where to tell.
    pub answer: oneshot::Sender<Result<Imported, NotImported>>,
}

/// What was held before.
struct Before {
    keys: u32,
    revoked: Version,
}

impl<A: Ask> Sync<A> {
    pub(super) fn import(&mut self, import: Import) {
        let before = Before {
            keys: self.parts.store.keys().epoch(),
            revoked: self.parts.store.revoked_number(),
        };
        let taken = match whole(import.bundle) {
            Ok(bytes) => self.take(&bytes),
            Err(error) => Err(error.into()),
        };
        if let Err(NotImported::Io(error)) = &taken {
            self.storage_failed(error);
        }
        self.tell_news(&before, taken.as_ref().ok());
        self.set_out_again();
        // Whoever asked may have gone; what was taken stays.
        let _ = import.answer.send(taken);
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Imported, NotImported> {
        let taken = self.parts.store.import(bytes, &self.parts.time);
        if let Err(
            refused @ (NotImported::Bad(_) | NotImported::Refused(_) | NotImported::Unusable(_)),
        ) = &taken
        {
            let evidence = bytes.get(..EVIDENCE).unwrap_or(bytes);
            self.reject(refused.code(), "import", "import", evidence);
        }

        taken
    }

    /// Tells what counts from now on; key sets and a list also where the snapshot was refused.
    fn tell_news(&mut self, before: &Before, taken: Option<&Imported>) {
        let now = self.parts.clock.now();
        let keys = self.parts.store.keys().epoch();
        for epoch in before.keys + 1..=keys {
            info!(epoch, "key set accepted");
            self.machine.keys_held(epoch, now);
            self.accepted(Notice::KeysAccepted { epoch }, now);
        }
        let number = self.parts.store.revoked_number();
        if number > before.revoked {
            info!(%number, "revocation list in force");
            self.accepted(Notice::Revoked { number }, now);
        }
        let Some(&Imported { outcome, version, root, .. }) = taken else { return };
        match outcome {
            Outcome::Already | Outcome::Withheld => {}
            Outcome::InForce => self.accepted(Notice::Accepted { version, root }, now),
            Outcome::Refreshed => self.accepted(Notice::Refreshed { version }, now),
        }
    }

    /// The place that the machine was filling may be another's now: it begins again with what is
    /// still wanted. Chunks that are there are not fetched twice.
    fn set_out_again(&mut self) {
        let Some(target) = self.machine.target().cloned() else { return };
        let now = self.parts.clock.now();
        let envelope = core::mem::take(&mut self.envelope);
        self.machine.abandon();
        let trusted = self.parts.time.now();
        if self.parts.store.admit(&envelope, &trusted).is_err() {
            return;
        }
        let held = self.parts.store.floor().version == target.version()
            && self.parts.store.current().borrow().is_some();
        if !held && self.aim(&target, &envelope, now).is_ok() {
            let _ = self.set_out(&[], now);
        }
    }
}

fn whole(mut file: File) -> io::Result<Vec<u8>> {
    file.rewind()?;

    bundle::read(file)
}
