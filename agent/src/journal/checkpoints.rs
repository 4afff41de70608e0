//! Signed checkpoints beside each segment: how far the chain had come, under the gateway's own key.
//!
//! They prove the records before them to whoever has the gateway's public key, also where a thief
//! has the audit's key and everything else in the folder. They are in a file of their own, in
//! places of equal length: a torn one spoils no other and no record, and whoever reads segments
//! need not know of them. Only what is durable is signed, else a power cut could leave two that
//! contradict each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use ed25519_dalek::{SigningKey, VerifyingKey};
use gateward_core::audit::{Head, UnixMillis};
use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::{Checkpoint, GatewayId, Incarnation, SEALED_LEN};

use super::medium::{Handle, Medium};
use super::writer::{Writer, segment_path};

/// Bytes of one place: length u16 little-endian, signed checkpoint, zeros.
const PLACE: usize = 192;
/// After so many records one is signed. A signature takes as long as a few records do, so this adds
/// less than a hundredth; and a thief who has the key file can rewrite no more than these.
const EVERY: u64 = 1024;
/// No signature ends with so many zeros; what was not written does.
const TORN: usize = 4;
/// No file is read further: more than a segment of the smallest records brings about.
const MOST: u64 = 1 << 20;

/// Whose signature counts.
#[derive(Clone, Copy, Debug)]
pub struct Signer {
    /// The account that the gateway belongs to.
    pub account: Uuid,
    /// The gateway.
    pub gateway: GatewayId,
    /// Its public key.
    pub key: VerifyingKey,
}

/// What the file beside a segment holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Found {
    /// By the number of the record: the chain's head after it.
    pub(crate) heads: BTreeMap<u64, Head>,
    /// Places with something in them that this gateway did not sign: damaged or forged.
    pub(crate) bad: u64,
    /// The last place was being written when the power went; a start cuts it off.
    pub(crate) is_torn: bool,
}

/// The file name of the checkpoints of the segment that begins with record `first`.
pub(crate) fn path(folder: &Path, first: u64) -> PathBuf {
    segment_path(folder, first).with_extension("ckp")
}

impl Found {
    /// Reads what stands beside the segment that begins with record `first`.
    pub(crate) fn read(
        folder: &Path,
        first: u64,
        by: &Signer,
        incarnation: Incarnation,
    ) -> io::Result<Self> {
        Ok(Self::among(&bytes(folder, first)?, first, by, incarnation))
    }

    /// Looks at the places of a file that was read before.
    pub(crate) fn among(bytes: &[u8], first: u64, by: &Signer, incarnation: Incarnation) -> Self {
        let mut found = Self::default();
        let whole = bytes.get(..whole(bytes)).unwrap_or_default();
        found.is_torn = whole.len() < bytes.len();
        for place in whole.chunks(PLACE).filter(|place| place.iter().any(|byte| *byte != 0)) {
            let read = signed(place)
                .and_then(|signed| Checkpoint::verify(signed, &by.key, by.account, by.gateway).ok())
                .filter(|read| read.incarnation == incarnation && read.number >= first);
            match read {
                Some(read) => drop(found.heads.insert(read.number, read.head)),
                None => found.bad += 1,
            }
        }

        found
    }

    /// The last record that is signed for.
    pub(crate) fn last(&self) -> Option<(u64, Head)> {
        self.heads.last_key_value().map(|(number, head)| (*number, *head))
    }
}

/// Returns what stands beside the segment that begins with record `first`, as far as it is read.
pub(crate) fn bytes(folder: &Path, first: u64) -> io::Result<Vec<u8>> {
    let file = match fs::File::open(path(folder, first)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, MOST), &mut bytes)?;

    Ok(bytes)
}

/// Returns how many bytes there are before a place at the end that was not written to its end, or not from
/// its beginning.
fn whole(bytes: &[u8]) -> usize {
    let Some(last) = bytes.chunks(PLACE).next_back() else { return 0 };
    let is_empty = last.iter().all(|byte| *byte == 0);
    let signed = signed(last).filter(|signed| !signed.is_empty());
    let is_torn = last.len() < PLACE
        || (!is_empty && signed.is_none_or(|signed| signed.ends_with(&[0; TORN])));

    bytes.len() - if is_torn { last.len() } else { 0 }
}

fn signed(place: &[u8]) -> Option<&[u8]> {
    let (len, rest) = place.split_first_chunk::<2>()?;

    rest.get(..usize::from(u16::from_le_bytes(*len)))
}

/// Signs for the writer.
pub(crate) struct Checkpoints {
    account: Uuid,
    key: SigningKey,
    /// The number of the last record that is signed for.
    signed: u64,
    file: Option<Box<dyn Handle>>,
    /// Where the next one goes.
    at: u64,
    dirty: bool,
    /// Minutes since one was signed because of the time.
    minutes: u64,
}

/// What a checkpoint says beside who signs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    pub(crate) gateway: GatewayId,
    pub(crate) incarnation: Incarnation,
    pub(crate) boot: u32,
    pub(crate) number: u64,
    pub(crate) head: Head,
    pub(crate) at: UnixMillis,
}

impl Checkpoints {
    pub(crate) const fn new(account: Uuid, key: SigningKey) -> Self {
        Self { account, key, signed: 0, file: None, at: 0, dirty: false, minutes: 0 }
    }

    pub(crate) fn signer(&self, gateway: GatewayId) -> Signer {
        Signer { account: self.account, gateway, key: self.key.verifying_key() }
    }

    /// Opens the file of a segment that is new, before its name is synced.
    pub(crate) fn begin(
        &mut self,
        medium: &dyn Medium,
        folder: &Path,
        first: u64,
    ) -> io::Result<()> {
        let synced = self.sync();
        // Whatever fails now, nothing about this segment goes beside the one before.
        (self.file, self.dirty) = (None, false);
        self.signed = self.signed.max(first.saturating_sub(1));
        let mut file = medium.open(&path(folder, first))?;
        file.cut(0)?;
        (self.file, self.at, self.minutes) = (Some(file), 0, 0);

        synced
    }

    /// Opens the file of a segment that is gone on with.
    pub(crate) fn resume(
        &mut self,
        medium: &dyn Medium,
        folder: &Path,
        first: u64,
    ) -> io::Result<()> {
        let path = path(folder, first);
        let is_new = !path.exists();
        let mut file = medium.open(&path)?;
        if is_new {
            medium.sync_folder(folder)?;
        }
        let len = fs::metadata(path)?.len();
        // None longer was written here: behind it nothing would be read.
        let good = if len > MOST { 0 } else { whole(&bytes(folder, first)?) };
        self.at = u64::try_from(good).unwrap_or(u64::MAX);
        if self.at < len {
            file.cut(self.at)?;
        }
        self.file = Some(file);

        Ok(())
    }

    /// A minute has passed; returns whether one is signed because of that. The more there are beside a
    /// segment, the more seldom: a quiet gateway has one for each record, and takes weeks for a segment.
    pub(crate) const fn minute(&mut self) -> bool {
        let places = self.at / PLACE as u64;
        self.minutes += 1;
        let is_due = self.minutes > (places / 64) * (places / 64);
        if is_due {
            self.minutes = 0;
        }

        is_due
    }

    /// Returns whether there is a record that no checkpoint covers.
    pub(crate) const fn is_behind(&self, number: u64) -> bool {
        number > self.signed
    }

    /// Returns whether so many records are not covered that one is due.
    pub(crate) const fn is_due(&self, number: u64) -> bool {
        number >= self.signed.saturating_add(EVERY)
    }

    /// Signs what was reached, all of which is durable, where that is not done yet.
    pub(crate) fn sign(&mut self, reached: &Reached) -> io::Result<()> {
        let Some(file) = self.file.as_mut().filter(|_| reached.number > self.signed) else {
            return Ok(());
        };
        let checkpoint = Checkpoint {
            gateway: reached.gateway,
            incarnation: reached.incarnation,
            number: reached.number,
            head: reached.head,
            time: UnixSeconds(reached.at.0 / 1000),
            boot: reached.boot,
        };
        let mut buffer = [0; SEALED_LEN];
        let sealed =
            checkpoint.sign(self.account, &self.key, &mut buffer).map_err(io::Error::other)?;
        let mut place = [0; PLACE];
        let len = u16::try_from(sealed.len()).unwrap_or(u16::MAX).to_le_bytes();
        place.iter_mut().zip(len.iter().chain(sealed)).for_each(|(place, byte)| *place = *byte);
        file.write_at(&place, self.at)?;
        self.at += u64::try_from(PLACE).unwrap_or(u64::MAX);
        (self.signed, self.dirty) = (reached.number, true);

        Ok(())
    }

    /// Makes what was signed outlive a power cut.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if let Some(file) = self.file.as_mut().filter(|_| self.dirty) {
            file.sync()?;
            self.dirty = false;
        }

        Ok(())
    }
}

impl Writer {
    /// Returns whether a durable record waits for a checkpoint.
    pub(crate) const fn is_unsigned(&self) -> bool {
        self.checkpoints.is_behind(self.durable.0.seq)
    }

    /// Signs for what is durable. Where the disk refuses it, the next time does it: the records
    /// themselves are there.
    pub(crate) fn sign(&mut self) {
        let reached = Reached {
            gateway: self.gateway,
            incarnation: self.incarnation,
            boot: self.options.boot,
            number: self.durable.0.seq,
            head: self.durable.0.head,
            at: self.last.created_at,
        };
        if let Err(error) = self.checkpoints.sign(&reached) {
            tracing::warn!(%error, "a checkpoint of the audit was not written; the next one tries again");
        }
    }

    /// Begins the file beside the segment that begins with record `first`.
    pub(crate) fn begin_checkpoints(&mut self, first: u64) {
        let (medium, folder) = (&*self.medium, &*self.folder);
        if let Err(error) = self.checkpoints.begin(medium, folder, first) {
            tracing::warn!(%error, "the audit's checkpoints cannot be written for a while");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_checkpoint_there_is_fits_into_its_place() {
        let longest = Checkpoint {
            gateway: GatewayId([255; 16]),
            incarnation: Incarnation([255; 8]),
            number: u64::MAX,
            head: Head([255; 32]),
            time: UnixSeconds(u64::MAX),
            boot: u32::MAX,
        };
        let mut buffer = [0; SEALED_LEN];
        let key = SigningKey::from_bytes(&[9; 32]);
        let signed = longest.sign(Uuid([255; 16]), &key, &mut buffer).unwrap();

        assert!(signed.len() + 2 <= PLACE, "{}", signed.len());
    }
}
