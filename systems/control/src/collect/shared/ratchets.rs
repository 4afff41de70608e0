//! The key of the record that comes next, for each gateway.
//!
//! It is not in the database: whoever has the key of a record can forge the tags of all that follow. It
//! is reckoned from the gateway's first key, which is in `private/gateways`, and kept now and then
//! beside it, so that a start does not reckon from the beginning. With it stands how far records were
//! committed: a mark that nobody moves who has only the database, and that never goes back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gateward_core::audit::Ratchet;
use gateward_core::name::Hex;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::Incarnation;
use tracing::warn;
use zeroize::Zeroizing;

use crate::enroll::Enrolled;
use crate::keys::PRIVATE;
use crate::{secret, whole};

const FORMAT: &str = "gateward-ratchet 1";
/// So many steps take some 20 ms.
const KEEP_EVERY: u64 = 100_000;
/// A mark is no further behind than that, in seconds.
const KEEP_AFTER: u64 = 60;

#[derive(Clone, Debug)]
struct At {
    incarnation: Incarnation,
    through: u64,
    key: Ratchet,
    /// What the file says.
    kept: u64,
    /// When it was written here.
    at: UnixSeconds,
}

impl At {
    const fn is_due(&self, now: UnixSeconds) -> bool {
        let (more, age) = (self.through.saturating_sub(self.kept), now.0.abs_diff(self.at.0));

        more >= KEEP_EVERY || (more > 0 && age >= KEEP_AFTER)
    }
}

/// Keys of gateways, as far as they are known.
#[derive(Debug)]
pub(super) struct Ratchets {
    folder: PathBuf,
    at: BTreeMap<String, At>,
    /// The last time it was tried, nothing could be kept.
    is_failing: bool,
}

/// Returns up to which record a collector of this policy folder has marked that it committed those of a gateway.
pub(crate) fn mark(dir: &Path, enrolled: &Enrolled) -> Option<u64> {
    let at = Ratchets::new(dir).load(&enrolled.gateway)?;

    (at.incarnation == enrolled.incarnation).then_some(at.through)
}

impl Ratchets {
    pub(super) fn new(dir: &Path) -> Self {
        let folder = dir.join(PRIVATE).join("ratchets");

        Self { folder, at: BTreeMap::new(), is_failing: false }
    }

    /// Returns the key of the record behind `through`.
    pub(super) fn after(&mut self, enrolled: &Enrolled, through: u64) -> Ratchet {
        let mut at = self.before(enrolled, through);
        while at.through < through {
            at.key.step();
            at.through += 1;
        }
        let key = at.key.clone();
        self.at.insert(enrolled.gateway.clone(), at);

        key
    }

    /// The last that is known of a gateway up to there.
    fn before(&self, enrolled: &Enrolled, through: u64) -> At {
        let known = self.at.get(&enrolled.gateway).cloned();
        let fits = |at: &At| at.incarnation == enrolled.incarnation && at.through <= through;
        let known = known.filter(fits).or_else(|| self.load(&enrolled.gateway).filter(fits));
        let (incarnation, key) = (enrolled.incarnation, enrolled.audit.clone());

        known.unwrap_or(At { incarnation, through: 0, key, kept: 0, at: UnixSeconds(0) })
    }

    /// Takes the key of the record behind `through`, which was committed.
    pub(super) fn take(
        &mut self,
        enrolled: &Enrolled,
        through: u64,
        key: &Ratchet,
        now: UnixSeconds,
    ) {
        let incarnation = enrolled.incarnation;
        let before = self.at.get(&enrolled.gateway).filter(|at| at.incarnation == incarnation);
        let (kept, at) = before.map_or((0, UnixSeconds(0)), |at| (at.kept, at.at));
        let at = At { incarnation, through, key: key.clone(), kept, at };
        self.keep_one(&enrolled.gateway, at, now);
    }

    /// Keeps what is due of every gateway.
    pub(super) fn keep(&mut self, now: UnixSeconds) {
        let due = self.at.iter().filter(|(_, at)| at.is_due(now));
        let due: Vec<_> = due.map(|(gateway, at)| (gateway.clone(), at.clone())).collect();
        for (gateway, at) in due {
            self.keep_one(&gateway, at, now);
        }
    }

    /// Where that fails, the next start takes longer, and `audit verify` has a witness less.
    fn keep_one(&mut self, gateway: &str, mut at: At, now: UnixSeconds) {
        if at.is_due(now) {
            let saved = self.save(gateway, &at);
            if let (Err(error), false) = (&saved, self.is_failing) {
                warn!(gateway, %error, "the next start of the collector reckons from the first key");
            }
            self.is_failing = saved.is_err();
            (at.kept, at.at) = (if saved.is_ok() { at.through } else { at.kept }, now);
        }
        self.at.insert(gateway.to_owned(), at);
    }

    fn save(&self, gateway: &str, at: &At) -> Result<(), whole::Failed> {
        // Another collector of this folder, or this one before somebody put the position back.
        let is_further =
            |kept: &At| kept.incarnation == at.incarnation && kept.through >= at.through;
        if self.load(gateway).as_ref().is_some_and(is_further) {
            return Ok(());
        }
        let At { incarnation, through, key, .. } = at;
        let text = Zeroizing::new(format!(
            "{FORMAT}\nincarnation {incarnation}\nthrough {through}\naudit {}\n",
            Hex(key.expose())
        ));
        secret::make_folder(&self.folder)?;

        secret::write(&self.folder.join(gateway), &text)
    }

    fn load(&self, gateway: &str) -> Option<At> {
        let path = self.folder.join(gateway);
        let text = secret::read(&path).ok().filter(|_| path.exists())?;
        let mut lines = text.lines();
        let format = lines.next()?;
        let mut field = |label: &str| lines.next()?.strip_prefix(label)?.strip_prefix(' ');
        let incarnation = Incarnation(*secret::hex(field("incarnation")?)?);
        let through = field("through")?.parse().ok()?;
        let key = Ratchet::new(*secret::hex(field("audit")?)?);

        let at = UnixSeconds(0);

        (format == FORMAT).then_some(At { incarnation, through, key, kept: through, at })
    }
}

#[cfg(test)]
mod tests {
    use gateward_core::trust::SigningKey;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_000_000);

    fn enrolled() -> Enrolled {
        Enrolled {
            gateway: "edge-1".to_owned(),
            group: "plant-1".to_owned(),
            incarnation: Incarnation([1; 8]),
            key: SigningKey::from_bytes(&[1; 32]).verifying_key(),
            audit: Ratchet::new([2; 32]),
        }
    }

    /// Takes what was committed up to there; returns the mark.
    fn commit(ratchets: &mut Ratchets, dir: &Path, through: u64, now: UnixSeconds) -> Option<u64> {
        let key = Ratchet::new([3; 32]);
        ratchets.take(&enrolled(), through, &key, now);

        mark(dir, &enrolled())
    }

    #[test]
    fn i9_a_mark_is_a_minute_or_a_hundred_thousand_records_behind_and_at_the_end_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let mut ratchets = Ratchets::new(dir);
        assert_eq!(mark(dir, &enrolled()), None);
        assert_eq!(commit(&mut ratchets, dir, 5, NOW), Some(5));
        assert_eq!(commit(&mut ratchets, dir, 9, NOW.plus(KEEP_AFTER - 1)), Some(5));
        ratchets.keep(NOW.plus(KEEP_AFTER));
        assert_eq!(mark(dir, &enrolled()), Some(9), "and without another record");
        assert_eq!(commit(&mut ratchets, dir, 9 + KEEP_EVERY, NOW.plus(61)), Some(9 + KEEP_EVERY));
        assert_eq!(commit(&mut ratchets, dir, 10 + KEEP_EVERY, NOW.plus(62)), Some(9 + KEEP_EVERY));
        ratchets.keep(UnixSeconds(u64::MAX));
        assert_eq!(mark(dir, &enrolled()), Some(10 + KEEP_EVERY));
    }

    #[test]
    fn i9_a_mark_never_goes_back_whoever_put_the_position_back_and_another_enrolment_has_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        assert_eq!(commit(&mut Ratchets::new(dir), dir, 50, NOW), Some(50));
        let mut ratchets = Ratchets::new(dir);
        let _key = ratchets.after(&enrolled(), 20);
        ratchets.keep(UnixSeconds(u64::MAX));
        assert_eq!(mark(dir, &enrolled()), Some(50));
        assert_eq!(commit(&mut ratchets, dir, 30, NOW), Some(50));
        assert_eq!(commit(&mut ratchets, dir, 51, NOW.plus(KEEP_AFTER)), Some(51));

        let again = Enrolled { incarnation: Incarnation([9; 8]), ..enrolled() };
        assert_eq!(mark(dir, &again), None);
        ratchets.take(&again, 3, &Ratchet::new([4; 32]), NOW);
        assert_eq!(mark(dir, &again), Some(3));
    }
}
