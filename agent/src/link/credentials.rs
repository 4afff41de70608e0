//! Which files of TLS to use: the newest that are not known to fail, else the last that worked.
//!
//! Two files cannot be replaced in one instant, so what is on disk may be half of a renewal. A
//! gateway that works goes on with what it has read until something better works.

use core::fmt;

use tracing::{info, warn};

use super::ended::Ended;
use super::reason::Reason;
use super::tls::{Fingerprint, Loaded, Now, TlsFiles, TlsProblem};

/// The files, what was read of them last, and how it fared.
pub(super) struct Credentials {
    files: TlsFiles,
    now: Now,
    good: Option<Loaded>,
    spoiled: Option<Fingerprint>,
    warned: Option<Fingerprint>,
}

impl Credentials {
    pub(super) const fn new(files: TlsFiles, now: Now) -> Self {
        Self { files, now, good: None, spoiled: None, warned: None }
    }

    /// What to use for a connection where there is none.
    pub(super) fn choose(&mut self) -> Result<Loaded, TlsProblem> {
        let contents = self.files.read();
        let fingerprint = contents.fingerprint();
        let Some(good) = self.good.clone() else { return contents.load(&self.now) };
        if self.spoiled == Some(fingerprint) {
            return Ok(good);
        }

        Ok(contents.load(&self.now).unwrap_or_else(|problem| {
            self.reject(fingerprint, &problem);
            good
        }))
    }

    /// What is on disk, where it is neither in use nor known to fail; `asked` tries what failed
    /// once more.
    pub(super) fn renewed(&mut self, asked: bool) -> Option<Loaded> {
        let contents = self.files.read();
        let fingerprint = contents.fingerprint();
        let in_use = self.good.as_ref().is_some_and(|good| good.fingerprint == fingerprint);
        if in_use {
            // What was wrong has been taken back.
            (self.spoiled, self.warned) = (None, None);
            if asked {
                info!("certificate, key and authority are those in use");
            }
            return None;
        }
        if self.spoiled == Some(fingerprint) && !asked {
            return None;
        }

        contents.load(&self.now).map_err(|problem| self.reject(fingerprint, &problem)).ok()
    }

    /// A connection with these is up.
    pub(super) fn worked(&mut self, loaded: Loaded) {
        let is_new = self.good.as_ref().is_none_or(|good| good.fingerprint != loaded.fingerprint);
        if is_new {
            self.good = Some(loaded);
            (self.spoiled, self.warned) = (None, None);
        }
    }

    /// An attempt with these failed. What fails is not used again before it has changed, or before
    /// what worked fails too.
    pub(super) fn failed(&mut self, tried: &Loaded, ended: &Ended) {
        if !may_be_their_fault(ended) {
            return;
        }
        let was_good = self.good.as_ref().is_some_and(|good| good.fingerprint == tried.fingerprint);
        self.spoiled = (!was_good).then_some(tried.fingerprint);
    }

    /// Says, once, why new files are not used where others still work.
    pub(super) fn complain(&mut self, about: Fingerprint, why: &str) {
        if self.warned.replace(about) != Some(about) {
            warn!("the renewed certificate is not used, the old one still is: {why}");
        }
    }

    fn reject(&mut self, fingerprint: Fingerprint, problem: &TlsProblem) {
        self.spoiled = Some(fingerprint);
        self.complain(fingerprint, &super::chain(problem));
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Whether other files might fare better: a broker that refuses a certificate under TLS 1.3 says so
/// where its CONNACK is due.
fn may_be_their_fault(ended: &Ended) -> bool {
    if let Ended::Refused(reason) = ended {
        return *reason != Reason::UNSUPPORTED_VERSION;
    }

    matches!(ended, Ended::Handshake(_) | Ended::Tls(_) | Ended::Unwelcome(_))
}
