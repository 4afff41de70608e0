//! The collector's folder: for each gateway `GATEWAY.jsonl` and `GATEWAY.batches`, `events.jsonl`,
//! `status/`, and what is needed to go on in `state/`.
//!
//! `GATEWAY.batches` is the evidence: each batch that brought records, as it came, with the tags and
//! the signed checkpoint that the lines do not have. It is of the format of
//! `gateward_agent::upload::stick`; batches stand in the order in which they were taken, and those of
//! several enrolments behind one another. A batch may begin with records of the one before it.
//!
//! Both are synced before the state that counts them, and the state before a receipt is signed. A
//! tail that no state counts is cut off at the next start: the gateway still has those records.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use gateward_agent::upload::stick::MAGIC;
use gateward_core::audit::{Head, Ratchet, SnapshotName};
use gateward_core::name::Hex;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::Incarnation;
use zeroize::Zeroizing;

use super::held::{Held, Trouble};
use super::{CollectFailed, batches_path, lines_path};
use crate::enroll::Enrolled;
use crate::lock::Lock;
use crate::secret::{self, Problem, Unusable};
use crate::whole;

const FORMAT: &str = "gateward-collected 2";
/// Of a collector that kept no batches.
const FORMAT_1: &str = "gateward-collected 1";
/// Beyond this, trouble is counted in the log only: who can send garbage must not fill the disk.
const MOST_EVENTS: u32 = 10_000;

/// The folder, for one collector at a time.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    held: BTreeMap<String, Held>,
    /// The last trouble of each gateway: repeated, it is no news.
    troubles: BTreeMap<String, Trouble>,
    events: u32,
    _lock: Lock,
}

impl Store {
    pub(super) fn open(folder: &Path) -> Result<Self, CollectFailed> {
        for path in [folder.to_owned(), folder.join("state"), folder.join("status")] {
            secret::make_folder(&path)?;
        }
        let lock = Lock::take(&folder.join("state/lock"))?;

        Ok(Self {
            folder: folder.to_owned(),
            held: BTreeMap::new(),
            troubles: BTreeMap::new(),
            events: 0,
            _lock: lock,
        })
    }

    /// Returns what is held of a gateway in the enrolment that `enrolled` says.
    pub(super) fn held(&mut self, enrolled: &Enrolled) -> Result<Held, CollectFailed> {
        let name = &enrolled.gateway;
        let held = match self.held.get(name) {
            Some(held) => held.clone(),
            None => self.load(enrolled)?,
        };
        let held = if held.incarnation == enrolled.incarnation {
            held
        } else {
            Held::nothing(enrolled, (held.bytes, held.batches))
        };
        self.held.insert(name.clone(), held.clone());

        Ok(held)
    }

    fn load(&self, enrolled: &Enrolled) -> Result<Held, CollectFailed> {
        let path = self.state_path(&enrolled.gateway);
        let has_state = path.exists();
        let held = if has_state {
            let stored = secret::read(&path)?;
            let unlike =
                || Unusable::one(&path, Problem::Unlike { expected: "a collector's state" });
            parse(&stored).ok_or_else(unlike)?
        } else {
            Held::nothing(enrolled, (0, 0))
        };
        let lines = lines_path(&self.folder, &enrolled.gateway);
        let found = len(&lines)?;
        if !has_state && found > 0 {
            // Starting anew would cut off what gateways have forgotten on our word.
            return Err(CollectFailed::StateLost { path, lines });
        }
        if !has_state {
            // Before the first line, so that a crash in between leaves no lines without it.
            secret::write(&path, &text(&held))?;
        }
        let batches = batches_path(&self.folder, &enrolled.gateway);
        for (path, found, held) in
            [(lines, found, held.bytes), (batches.clone(), len(&batches)?, held.batches)]
        {
            if found < held {
                return Err(CollectFailed::CutShort { path, found, held });
            }
        }

        Ok(held)
    }

    /// Writes the batch as it came and its lines, and then that they are held.
    pub(super) fn append(
        &mut self,
        gateway: &str,
        lines: &str,
        message: &[u8],
        mut held: Held,
    ) -> Result<(), whole::Failed> {
        let mut framed = if held.batches == 0 { MAGIC.to_vec() } else { Vec::new() };
        // No message is longer than that: see `MAX_BATCH`.
        let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
        framed.extend_from_slice(&len.to_le_bytes());
        framed.extend_from_slice(message);
        let batches = batches_path(&self.folder, gateway);
        held.batches = self.write(&batches, held.batches, &framed)?;
        let path = lines_path(&self.folder, gateway);
        held.bytes = self.write(&path, held.bytes, lines.as_bytes())?;
        secret::write(&self.state_path(gateway), &text(&held))?;
        self.held.insert(gateway.to_owned(), held);

        Ok(())
    }

    /// Writes behind what is counted of a file; returns how much of it there is then.
    fn write(&self, path: &Path, counted: u64, bytes: &[u8]) -> Result<u64, whole::Failed> {
        let is_new = !path.exists();
        let write = || {
            let mut file = append_to(path)?;
            // What a crash left behind is not counted and comes again.
            file.set_len(counted)?;
            file.write_all(bytes)?;
            file.sync_data()?;
            if is_new { File::open(&self.folder)?.sync_all() } else { Ok(()) }
        };
        write().map_err(whole::Failed::new("written", path))?;

        Ok(counted + bytes.len() as u64)
    }

    /// Returns the signed status in which a gateway was the furthest.
    pub(super) fn furthest(&self, gateway: &str) -> Option<Vec<u8>> {
        fs::read(self.furthest_path(gateway)).ok()
    }

    /// Keeps the signed status in which a gateway is the furthest.
    pub(super) fn keep_furthest(&self, gateway: &str, status: &[u8]) -> Result<(), whole::Failed> {
        whole::write(&self.furthest_path(gateway), status, 0o644)
    }

    /// Keeps what a gateway said last, signed.
    pub(super) fn keep_status(&self, gateway: &str, status: &[u8]) -> Result<(), whole::Failed> {
        whole::write(&self.folder.join("status").join(gateway), status, 0o644)
    }

    /// Writes down that something is wrong, unless that is known; returns whether it was news.
    pub(super) fn note(
        &mut self,
        gateway: &str,
        trouble: &Trouble,
        now: UnixSeconds,
    ) -> Result<bool, whole::Failed> {
        let mut details = serde_json::Map::new();
        if let Trouble::UsedAfterRevocation(late) = trouble {
            // Only a gateway with its keys brings this here, and each time it is another record.
            details = late.details();
        } else {
            if self.troubles.get(gateway) == Some(trouble) || self.events >= MOST_EVENTS {
                return Ok(false);
            }
            self.events += 1;
            self.troubles.insert(gateway.to_owned(), trouble.clone());
        }
        let mut line = serde_json::json!({
            "at": now.0,
            "gateway": gateway,
            "event": trouble.code(),
            "detail": trouble.to_string(),
        });
        if let Some(line) = line.as_object_mut() {
            line.append(&mut details);
        }
        let path = self.folder.join("events.jsonl");
        let write = || {
            let mut file = append_to(&path)?;
            // In one piece: somebody may be reading.
            file.write_all(format!("{line}\n").as_bytes())?;
            file.sync_data()
        };
        write().map_err(whole::Failed::new("written", &path))?;

        Ok(true)
    }

    fn state_path(&self, gateway: &str) -> PathBuf {
        self.folder.join("state").join(format!("{gateway}.held"))
    }

    fn furthest_path(&self, gateway: &str) -> PathBuf {
        self.folder.join("state").join(format!("{gateway}.furthest"))
    }
}

/// The length of a file; 0 where there is none.
fn len(path: &Path) -> Result<u64, whole::Failed> {
    match fs::metadata(path) {
        Ok(facts) => Ok(facts.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(whole::Failed::new("read", path)(error)),
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn text(held: &Held) -> Zeroizing<String> {
    let Held { incarnation, through, head, ratchet, snapshot, bytes, batches } = held;
    let mut text = Zeroizing::new(format!(
        "{FORMAT}\nincarnation {incarnation}\nthrough {through}\nhead {head}\naudit {}\nbytes {bytes}\n\
         batches {batches}\n",
        Hex(ratchet.expose())
    ));
    if let Some(SnapshotName { epoch, number, root }) = snapshot {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "snapshot {epoch} {number} {}", Hex(root));
    }

    text
}

fn parse(text: &str) -> Option<Held> {
    let mut lines = text.lines();
    let format = lines.next()?;
    if format != FORMAT && format != FORMAT_1 {
        return None;
    }
    let mut field = |label: &str| lines.next()?.strip_prefix(label)?.strip_prefix(' ');
    let held = Held {
        incarnation: Incarnation(*secret::hex(field("incarnation")?)?),
        through: field("through")?.parse().ok()?,
        head: Head(*secret::hex(field("head")?)?),
        ratchet: Ratchet::new(*secret::hex(field("audit")?)?),
        bytes: field("bytes")?.parse().ok()?,
        batches: if format == FORMAT { field("batches")?.parse().ok()? } else { 0 },
        snapshot: None,
    };
    let Some(line) = lines.next() else { return Some(held) };
    let mut parts = line.strip_prefix("snapshot ")?.split(' ');
    let snapshot = SnapshotName {
        epoch: parts.next()?.parse().ok()?,
        number: parts.next()?.parse().ok()?,
        root: *secret::hex(parts.next()?)?,
    };
    let whole = parts.next().is_none() && lines.next().is_none();

    whole.then_some(Held { snapshot: Some(snapshot), ..held })
}
