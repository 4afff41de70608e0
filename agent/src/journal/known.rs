//! What the key file and the mark say of the records, and how far that is believed.
//!
//! Both are written with every sync and synced every second, so neither is far from the last
//! record or from the other. What is further was not written by an agent, whatever its checksum
//! says: it is set aside as damage, because going through the keys up to there would take minutes.

use std::io;
use std::path::{Path, PathBuf};

use gateward_core::audit::{Head, Ratchet};
use gateward_core::trust::Incarnation;

use super::medium::{Medium, is_unreadable};
use super::recover::{free, list};
use super::slots::{Slot, Slots};

/// Nothing is further than this from the key file or from the mark: many seconds of records on the
/// fastest disk.
const FAR: u64 = 1 << 20;
/// No journal counts further; the bound where neither file is left.
const FURTHEST: u64 = 1 << 32;
/// More keys are never gone through, a fraction of a second's work: the mark is at most [`FAR`] from
/// the key, and the records at most that far from the mark.
const STEPS: u64 = 2 * FAR;

/// The two files, and what may be believed because of them.
pub(super) struct Known {
    pub(super) key_slots: Slots,
    pub(super) mark_slots: Slots,
    key: Option<Slot>,
    mark: Option<Slot>,
    /// Old files that could not be read, or were not believed.
    pub(super) damaged: Vec<PathBuf>,
}

/// How often a file is read that the disk does not give back.
const TRIES: u32 = 3;

/// Opens a file of two slots; one that cannot be read is set aside, and begun anew.
pub(super) fn open_or_set_aside(
    medium: &dyn Medium,
    path: &Path,
    incarnation: Incarnation,
    damaged: &mut Vec<PathBuf>,
) -> io::Result<(Slots, Option<Slot>)> {
    let open = || Slots::open(medium, path, incarnation);
    let mut opened = open();
    for _ in 1..TRIES {
        if opened.as_ref().is_err_and(is_unreadable) {
            opened = open();
        }
    }
    match opened {
        Err(error) if is_unreadable(&error) => {
            let aside = free(path);
            medium.rename(path, &aside)?;
            damaged.push(aside);
            open()
        }
        opened => opened,
    }
}

impl Known {
    pub(super) fn open(
        medium: &dyn Medium,
        folder: &Path,
        incarnation: Incarnation,
    ) -> io::Result<Self> {
        let mut damaged = Vec::new();
        let (key_slots, key) =
            open_or_set_aside(medium, &folder.join("key"), incarnation, &mut damaged)?;
        let path = folder.join("mark");
        let (mut mark_slots, mut mark) =
            open_or_set_aside(medium, &path, incarnation, &mut damaged)?;
        let reach = match &key {
            Some(key) => key.number.saturating_add(FAR),
            // Segments that agree with the mark lend it belief.
            None => list(folder)?.last().map_or(0, |first| *first).saturating_add(FAR),
        };
        if mark.as_ref().is_some_and(|mark| mark.number > reach) {
            let aside = free(&path);
            medium.rename(&path, &aside)?;
            damaged.push(aside);
            (mark_slots, mark) = Slots::open(medium, &path, incarnation)?;
        }

        Ok(Self { key_slots, mark_slots, key, mark, damaged })
    }

    /// Records up to this number were durable once.
    pub(super) fn durable(&self) -> u64 {
        let number = |slot: &Option<Slot>| slot.as_ref().map_or(0, |slot| slot.number);

        number(&self.key).max(number(&self.mark))
    }

    /// No number above this is believed.
    pub(super) fn most(&self) -> u64 {
        let neither = self.key.is_none() && self.mark.is_none();

        self.durable().saturating_add(if neither { FURTHEST } else { FAR })
    }

    /// The number before which the key file's key stands, and the key.
    pub(super) fn key(&self) -> Option<(u64, Ratchet)> {
        self.key.as_ref().map(|slot| (slot.number, Ratchet::new(*slot.value)))
    }

    /// The chain's head after record `number`, where the mark stands there.
    pub(super) fn head_after(&self, number: u64) -> Option<Head> {
        self.mark.as_ref().filter(|mark| mark.number == number).map(|mark| Head(*mark.value))
    }

    /// The key for the record after `number`; none where the one to begin with is too far from it.
    pub(super) fn key_after(&self, number: u64, first: Option<&Ratchet>) -> Option<Ratchet> {
        let kept = self.key().filter(|(from, _)| *from <= number);
        let (from, mut key) = kept.or_else(|| Some((0, first?.clone())))?;
        if number - from > STEPS {
            return None;
        }
        for _ in from..number {
            key.step();
        }

        Some(key)
    }
}
