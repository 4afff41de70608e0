//! The key of the record that comes next, for each gateway.
//!
//! It is not in the database: whoever has the key of a record can forge the tags of all that follow. It
//! is reckoned from the gateway's first key, which is in `private/gateways`, and kept now and then
//! beside it, so that a start does not reckon from the beginning.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gateward_core::audit::Ratchet;
use gateward_core::name::Hex;
use gateward_core::trust::Incarnation;
use tracing::warn;
use zeroize::Zeroizing;

use crate::enroll::Enrolled;
use crate::keys::PRIVATE;
use crate::secret;

const FORMAT: &str = "gateward-ratchet 1";
/// So many steps take some 20 ms.
const KEEP_EVERY: u64 = 100_000;

#[derive(Clone, Debug)]
struct At {
    incarnation: Incarnation,
    through: u64,
    key: Ratchet,
    /// What the file says.
    kept: u64,
}

/// Keys of gateways, as far as they are known.
#[derive(Debug)]
pub(super) struct Ratchets {
    folder: PathBuf,
    at: BTreeMap<String, At>,
}

impl Ratchets {
    pub(super) fn new(dir: &Path) -> Self {
        Self { folder: dir.join(PRIVATE).join("ratchets"), at: BTreeMap::new() }
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
        let known = known.filter(fits).or_else(|| self.load(enrolled).filter(fits));
        let (incarnation, key) = (enrolled.incarnation, enrolled.audit.clone());

        known.unwrap_or(At { incarnation, through: 0, key, kept: 0 })
    }

    /// Takes the key of the record behind `through`, which a batch has led to.
    pub(super) fn take(&mut self, enrolled: &Enrolled, through: u64, key: &Ratchet) {
        let kept = self.at.get(&enrolled.gateway).map_or(0, |at| at.kept);
        let incarnation = enrolled.incarnation;
        let mut at = At { incarnation, through, key: key.clone(), kept };
        if through.abs_diff(kept) >= KEEP_EVERY {
            self.save(&enrolled.gateway, &at);
            at.kept = through;
        }
        self.at.insert(enrolled.gateway.clone(), at);
    }

    /// Where that fails, the next start takes longer.
    fn save(&self, gateway: &str, at: &At) {
        let At { incarnation, through, key, .. } = at;
        let text = Zeroizing::new(format!(
            "{FORMAT}\nincarnation {incarnation}\nthrough {through}\naudit {}\n",
            Hex(key.expose())
        ));
        let saved = secret::make_folder(&self.folder)
            .and_then(|()| secret::write(&self.folder.join(gateway), &text));
        if let Err(error) = saved {
            warn!(gateway, %error, "the next start of the collector reckons from the first key");
        }
    }

    fn load(&self, enrolled: &Enrolled) -> Option<At> {
        let path = self.folder.join(&enrolled.gateway);
        let text = secret::read(&path).ok().filter(|_| path.exists())?;
        let mut lines = text.lines();
        let format = lines.next()?;
        let mut field = |label: &str| lines.next()?.strip_prefix(label)?.strip_prefix(' ');
        let incarnation = Incarnation(*secret::hex(field("incarnation")?)?);
        let through = field("through")?.parse().ok()?;
        let key = Ratchet::new(*secret::hex(field("audit")?)?);

        (format == FORMAT).then_some(At { incarnation, through, key, kept: through })
    }
}
