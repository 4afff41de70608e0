//! A small file of two slots that are overwritten in turn: the key and the high-water mark.
//!
//! A torn write spoils one slot and leaves the other, which is one commit older; the chain is
//! followed from there. Nothing is ever appended, so no old key stays behind (TRUST section 5).

use std::path::Path;
use std::{fs, io};

use gateward_core::trust::Incarnation;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::medium::{Handle, Medium};

const SLOT: usize = 64;
const SUM: usize = 8;
/// No journal ever counts so far, at a record a microsecond for nine years: who says so is not the
/// agent, and counting on from there would end.
const NEVER: u64 = 1 << 48;

/// A value and the number of the record after which it stood.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) number: u64,
    pub(crate) value: Zeroizing<[u8; 32]>,
}

/// The file; the next write goes to the slot that is older.
pub(crate) struct Slots {
    file: Box<dyn Handle>,
    incarnation: Incarnation,
    second: bool,
    dirty: bool,
    /// The number that was written last.
    newest: u64,
}

impl Slots {
    /// Opens or makes the file and returns what the newer good slot of this incarnation holds.
    pub(crate) fn open(
        medium: &dyn Medium,
        path: &Path,
        incarnation: Incarnation,
    ) -> io::Result<(Self, Option<Slot>)> {
        let (first_is_newer, newer) = newer(path, incarnation)?;
        let file = medium.open(path)?;
        let newest = newer.as_ref().map_or(0, |slot| slot.number);
        let slots = Self { file, incarnation, second: first_is_newer, dirty: false, newest };

        Ok((slots, newer))
    }

    /// Overwrites the older slot.
    pub(crate) fn write(&mut self, number: u64, value: &[u8; 32]) -> io::Result<()> {
        let mut bytes = Zeroizing::new([0; SLOT]);
        let fields = [&number.to_le_bytes()[..], value, &self.incarnation.0];
        let places = bytes.iter_mut().zip(fields.into_iter().flatten());
        places.for_each(|(place, byte)| *place = *byte);
        if let Some((body, sum)) = bytes.split_last_chunk_mut::<SUM>() {
            *sum = checksum(body);
        }
        let offset = if self.second { SLOT } else { 0 };
        self.file.write_at(&*bytes, u64::try_from(offset).unwrap_or_default())?;
        self.second = !self.second;
        (self.dirty, self.newest) = (true, number);

        Ok(())
    }

    /// Overwrites the older slot of a file whose numbers say nothing but which one is newer.
    pub(crate) fn write_next(&mut self, value: &[u8; 32]) -> io::Result<()> {
        self.write(self.newest.saturating_add(1), value)
    }

    /// Returns the number that was written last.
    pub(crate) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Makes what was written last outlive a power cut.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.sync()?;
            self.dirty = false;
        }

        Ok(())
    }
}

/// Returns what the newer good slot of this incarnation holds, and whether it is the first.
pub(crate) fn newer(path: &Path, incarnation: Incarnation) -> io::Result<(bool, Option<Slot>)> {
    Ok(newer_in(&bytes(path)?, incarnation))
}

/// Returns what is in the file; nothing where there is none.
pub(super) fn bytes(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Zeroizing::new(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Zeroizing::default()),
        Err(error) => Err(error),
    }
}

/// Like [`newer`], of a file that was read before.
pub(super) fn newer_in(bytes: &[u8], incarnation: Incarnation) -> (bool, Option<Slot>) {
    let first = read(bytes.get(..SLOT), incarnation);
    let second = read(bytes.get(SLOT..2 * SLOT), incarnation);
    let number = |slot: &Option<Slot>| slot.as_ref().map(|slot| slot.number);
    let first_is_newer = number(&first) >= number(&second);

    (first_is_newer, if first_is_newer { first } else { second })
}

fn read(slot: Option<&[u8]>, incarnation: Incarnation) -> Option<Slot> {
    let (body, sum) = slot?.split_last_chunk::<SUM>()?;
    let (number, rest) = body.split_first_chunk()?;
    let (value, rest) = rest.split_first_chunk()?;
    let number = u64::from_le_bytes(*number);
    if checksum(body) != *sum || !rest.starts_with(&incarnation.0) || number >= NEVER {
        return None;
    }

    Some(Slot { number, value: Zeroizing::new(*value) })
}

fn checksum(body: &[u8]) -> [u8; SUM] {
    let mut sum = [0; SUM];
    sum.iter_mut().zip(Sha256::digest(body)).for_each(|(place, byte)| *place = byte);

    sum
}

#[cfg(test)]
mod tests {
    use super::super::medium::Real;
    use super::*;

    #[test]
    fn a_number_from_which_nobody_could_count_on_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let open = || Slots::open(&Real, &path, Incarnation([1; 8])).unwrap();

        for (number, believed) in [(NEVER - 1, true), (NEVER, false), (u64::MAX, false)] {
            open().0.write(number, &[1; 32]).unwrap();
            let (mut slots, slot) = open();
            assert_eq!(slot.is_some_and(|slot| slot.number == number), believed, "{number}");
            slots.write(0, &[0; 32]).unwrap();
        }
    }

    #[test]
    fn a_torn_slot_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let open = || Slots::open(&Real, &path, Incarnation([1; 8])).unwrap();

        let (mut slots, none) = open();
        assert!(none.is_none());
        for number in 1..=5 {
            slots.write(number, &[u8::try_from(number).unwrap(); 32]).unwrap();
            let (_, slot) = open();
            assert_eq!(slot.unwrap().number, number);
        }

        let whole = fs::read(&path).unwrap();
        // The fifth write went to the second slot.
        for at in SLOT..2 * SLOT {
            let mut torn = whole.clone();
            torn[at] ^= 0x40;
            fs::write(&path, &torn).unwrap();
            let (_, slot) = open();
            assert_eq!(slot.unwrap().number, 4, "byte {at}");
        }
        fs::write(&path, &whole).unwrap();
        let (_, other) = Slots::open(&Real, &path, Incarnation([2; 8])).unwrap();
        assert!(other.is_none(), "another enrolment's key is not ours");
    }
}
