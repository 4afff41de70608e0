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

mod lines;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use gateward_agent::journal::json::{self, Origin};
use gateward_agent::upload::stick::MAGIC;
use gateward_core::audit::{Head, Ratchet, Record, SnapshotName};
use gateward_core::name::Hex;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::Incarnation;
use zeroize::Zeroizing;

use super::held::{Held, Told, Trouble};
use super::hole::Hole;
use super::store::{New, Rows, Store, Stored};
use super::{CollectFailed, batches_path, lines_path};
use crate::access::EVENTS;
use crate::enroll::Enrolled;
use crate::lock::Lock;
use crate::secret::{self, Problem, Unusable};
use crate::whole;

const FORMAT: &str = "gateward-collected 2";
/// Of a collector that kept no batches.
const FORMAT_1: &str = "gateward-collected 1";

/// The folder, for one collector at a time.
#[derive(Debug)]
pub(super) struct Folder {
    folder: PathBuf,
    held: BTreeMap<String, Held>,
    /// The last of each gateway: who says so says it again as long as the hole is there.
    owned: BTreeMap<String, (Incarnation, Hole)>,
    events: Told,
    _lock: Lock,
}

impl Folder {
    pub(super) fn open(folder: &Path) -> Result<Self, CollectFailed> {
        for path in [folder.to_owned(), folder.join("state"), folder.join("status")] {
            secret::make_folder(&path)?;
        }
        let lock = Lock::take(&folder.join("state/lock"))?;

        Ok(Self {
            folder: folder.to_owned(),
            held: BTreeMap::new(),
            owned: BTreeMap::new(),
            events: Told::default(),
            _lock: lock,
        })
    }

    /// Returns what is held of a gateway in the enrolment that `enrolled` says.
    pub(super) fn holds(&mut self, enrolled: &Enrolled) -> Result<Held, CollectFailed> {
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
    pub(super) fn add(&mut self, new: &New<'_, Lines>) -> Result<(), CollectFailed> {
        let New { enrolled, taken, message, late, now, .. } = new;
        let gateway = &enrolled.gateway;
        // Before the records: what is kept is not looked at again.
        for trouble in *late {
            self.write_event(gateway, trouble, *now)?;
        }
        let mut held = taken.held.clone();
        let mut framed = if held.batches == 0 { MAGIC.to_vec() } else { Vec::new() };
        // No message is longer than that: see `MAX_BATCH`.
        let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
        framed.extend_from_slice(&len.to_le_bytes());
        framed.extend_from_slice(message);
        let batches = batches_path(&self.folder, gateway);
        held.batches = self.write(&batches, held.batches, &framed)?;
        let path = lines_path(&self.folder, gateway);
        held.bytes = self.write(&path, held.bytes, taken.rows.0.as_bytes())?;
        secret::write(&self.state_path(gateway), &text(&held))?;
        self.held.insert(gateway.clone(), held);

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

    pub(super) fn write_event(
        &mut self,
        gateway: &str,
        trouble: &Trouble,
        now: UnixSeconds,
    ) -> Result<bool, CollectFailed> {
        if !self.events.is_news(gateway, trouble, now) {
            return Ok(false);
        }
        let mut line = serde_json::json!({
            "at": now.0,
            "gateway": gateway,
            "event": trouble.code(),
            "detail": trouble.to_string(),
        });
        if let Some(line) = line.as_object_mut() {
            line.append(&mut trouble.details());
        }
        let path = self.folder.join(format!("{EVENTS}.jsonl"));
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

/// A line of JSON for each record.
#[derive(Debug, Default)]
pub(super) struct Lines(pub(super) String);

impl Rows for Lines {
    fn add(
        &mut self,
        record: &Record<'_>,
        origin: &Origin,
        snapshot: Option<SnapshotName>,
        head: &Head,
    ) {
        self.0 += &json::line(record, origin, snapshot, head);
        self.0.push('\n');
    }
}

impl Store for Folder {
    type Rows = Lines;
    const SHARED: bool = false;

    async fn begin(&mut self) -> Result<(), CollectFailed> {
        Ok(())
    }

    async fn held(&mut self, enrolled: &Enrolled) -> Result<Held, CollectFailed> {
        self.holds(enrolled)
    }

    async fn append(&mut self, new: &New<'_, Lines>) -> Result<Stored, CollectFailed> {
        self.add(new).map(|()| Stored::Safe)
    }

    async fn own_up(
        &mut self,
        enrolled: &Enrolled,
        hole: Hole,
        _message: &[u8],
    ) -> Result<(), CollectFailed> {
        self.owned.insert(enrolled.gateway.clone(), (enrolled.incarnation, hole));

        Ok(())
    }

    async fn owned(
        &mut self,
        enrolled: &Enrolled,
        from: u64,
    ) -> Result<Option<Hole>, CollectFailed> {
        let known = self.owned.get(&enrolled.gateway);
        let fits =
            |(of, hole): &&(Incarnation, Hole)| *of == enrolled.incarnation && hole.holds(from);

        Ok(known.filter(fits).map(|(_, hole)| *hole))
    }

    async fn head_at(
        &mut self,
        enrolled: &Enrolled,
        seq: u64,
    ) -> Result<Option<Head>, CollectFailed> {
        let path = lines_path(&self.folder, &enrolled.gateway);
        let found = lines::head_at(&path, enrolled, seq);

        Ok(found.map_err(whole::Failed::new("read", &path))?)
    }

    async fn wrote(&mut self, _: &Enrolled) -> Result<Option<UnixSeconds>, CollectFailed> {
        // Whoever has the folder has heard everything.
        Ok(None)
    }

    async fn furthest(
        &mut self,
        gateways: &[&str],
    ) -> Result<BTreeMap<String, Vec<u8>>, CollectFailed> {
        let read =
            |name: &&str| Some(((*name).to_owned(), fs::read(self.furthest_path(name)).ok()?));

        Ok(gateways.iter().filter_map(read).collect())
    }

    async fn keep_status(
        &mut self,
        gateway: &str,
        status: &[u8],
        _before: Option<&[u8]>,
        is_furthest: bool,
    ) -> Result<Stored, CollectFailed> {
        if is_furthest {
            whole::write(&self.furthest_path(gateway), status, 0o644)?;
        }
        whole::write(&self.folder.join("status").join(gateway), status, 0o644)?;

        Ok(Stored::Safe)
    }

    async fn note(
        &mut self,
        gateway: &str,
        trouble: &Trouble,
        now: UnixSeconds,
    ) -> Result<bool, CollectFailed> {
        self.write_event(gateway, trouble, now)
    }

    async fn name(&mut self, _: &Path) -> Result<(), CollectFailed> {
        Ok(())
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
