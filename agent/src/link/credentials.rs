//! Which files of TLS to use: the newest that are not known to fail, else the last that worked.
//!
//! Two files cannot be replaced in one instant, so what is on disk may be half of a renewal. A
//! gateway that works goes on with what it has read until something better works.

use core::fmt;

use tracing::{info, warn};

use super::ended::Ended;
use super::reason::Reason;
use super::tls::{self, Fingerprint, Loaded, Now, TlsFiles, TlsProblem};

/// The files, what was read of them last, and how it fared.
pub(super) struct Credentials {
    files: TlsFiles,
    now: Now,
    good: Option<Loaded>,
    spoiled: Option<Fingerprint>,
    warned: Option<Fingerprint>,
    /// What the present broker has just turned down, where there is another to offer it.
    turned_down: Option<Fingerprint>,
    /// Whether a broker of this round hung up in a way that a refused certificate may cause.
    doubted: bool,
    /// Whether this round begins with what worked last.
    prefer_good: bool,
}

impl Credentials {
    pub(super) const fn new(files: TlsFiles, now: Now) -> Self {
        Self {
            files,
            now,
            good: None,
            spoiled: None,
            warned: None,
            turned_down: None,
            doubted: false,
            prefer_good: false,
        }
    }

    /// What to use for a connection where there is none.
    pub(super) fn choose(&mut self) -> Result<Loaded, TlsProblem> {
        let contents = self.files.read();
        let fingerprint = contents.fingerprint();
        let Some(good) = self.good.clone() else { return contents.load(&self.now) };
        let is_good_due = match self.turned_down {
            Some(down) => down != good.fingerprint,
            None => self.prefer_good || self.spoiled == Some(fingerprint),
        };
        if is_good_due {
            return Ok(good);
        }

        Ok(contents.load(&self.now).unwrap_or_else(|problem| {
            self.reject(fingerprint, &problem);
            good
        }))
    }

    /// Whether the broker that has just turned one down is to be offered the other. Were the next
    /// broker offered it instead, two brokers and two certificates could miss each other for ever.
    pub(super) const fn has_another(&self) -> bool {
        self.turned_down.is_some()
    }

    /// The whole list has failed. Where a broker hung up without a word, the next round begins with
    /// the other files.
    pub(super) const fn round_over(&mut self) {
        self.prefer_good ^= self.doubted;
        self.doubted = false;
    }

    /// Somebody asks for what is on disk, whatever became of it before.
    pub(super) fn asked(&mut self) {
        self.forget();
    }

    /// What is on disk, where it is neither in use nor known to fail; `asked` tries what failed
    /// once more.
    pub(super) fn renewed(&mut self, asked: bool) -> Option<Loaded> {
        let contents = self.files.read();
        let fingerprint = contents.fingerprint();
        let in_use = self.good.as_ref().is_some_and(|good| good.fingerprint == fingerprint);
        if in_use {
            // What was wrong has been taken back.
            self.forget();
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
        self.turned_down = None;
        let is_new = self.good.as_ref().is_none_or(|good| good.fingerprint != loaded.fingerprint);
        if is_new {
            self.good = Some(loaded);
            self.forget();
        }
        (self.doubted, self.prefer_good) = (false, false);
    }

    /// An attempt with these failed where there was no connection.
    pub(super) fn failed(&mut self, tried: &Loaded, ended: &Ended) {
        let fault = self.blame(tried, ended);
        let is_first = self.turned_down.take().is_none();
        self.doubted |= fault == Fault::Perhaps;
        if fault == Fault::Theirs && is_first && self.is_another(tried) {
            self.turned_down = Some(tried.fingerprint);
        }
    }

    /// An attempt with these failed. What was turned down is not used again before it has changed,
    /// or somebody asks, or what worked is turned down too; all else may be an accident.
    pub(super) fn blame(&mut self, tried: &Loaded, ended: &Ended) -> Fault {
        let fault = fault(ended);
        let was_good = self.good.as_ref().is_some_and(|good| good.fingerprint == tried.fingerprint);
        if fault == Fault::Theirs && !was_good {
            self.spoiled = Some(tried.fingerprint);
        }

        fault
    }

    /// Whether there is something else to offer.
    fn is_another(&self, tried: &Loaded) -> bool {
        let Some(good) = &self.good else { return false };
        if good.fingerprint != tried.fingerprint {
            return true;
        }
        let contents = self.files.read();

        contents.fingerprint() != good.fingerprint && contents.load(&self.now).is_ok()
    }

    const fn forget(&mut self) {
        (self.spoiled, self.warned) = (None, None);
        (self.doubted, self.prefer_good) = (false, false);
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

/// Whether other files might fare better.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// The broker turned down who we say we are.
    Theirs,
    /// It ended TLS without such a word; or the file of authorities is not the right one.
    Perhaps,
    /// Something else is wrong.
    No,
}

/// A broker that refuses a certificate under TLS 1.3 says so where its CONNACK is due. What is wrong
/// with the broker's own certificate is never ours to mend, unless it is who vouches for it.
fn fault(ended: &Ended) -> Fault {
    if let Ended::Refused(Reason::NOT_AUTHORIZED | Reason::BAD_CREDENTIALS) = ended {
        return Fault::Theirs;
    }
    let (Ended::Handshake(error) | Ended::Unwelcome(error)) = ended else { return Fault::No };

    match tls::said(error) {
        Some(tls::Said::NotYou) => Fault::Theirs,
        Some(tls::Said::Else) => Fault::No,
        Some(tls::Said::Alert | tls::Said::Stranger) | None => Fault::Perhaps,
    }
}

#[cfg(test)]
mod tests;
