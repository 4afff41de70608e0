//! Where the pointers of a call lead: a byte of the input says; 0 is what fits.
#![expect(unsafe_code, reason = "pointers are made as a C program would make them")]

use core::ptr;
use gateward::{Floor, Text};

use super::arena::{Arena, Owned};
use super::pool::{What, pool};
use crate::Input;

/// A program that calls the interface: what it owns, and what it will do next.
pub(super) struct Run<'a> {
    pub(super) input: Input<'a>,
    pub(super) arena: Owned,
    /// What objects may point to stays until the end.
    kept: Vec<Box<[u8]>>,
    memory: Vec<Vec<u64>>,
    /// The bits of the last revocation list.
    bits: (*mut u8, usize),
}

/// Bytes as C says them.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    pub(super) at: *const u8,
    pub(super) len: usize,
}

/// The same, to be written.
#[derive(Clone, Copy)]
pub(super) struct BytesMut {
    pub(super) at: *mut u8,
    pub(super) len: usize,
}

/// The least length that no object has.
const ABSURD: usize = isize::MAX as usize + 1;

impl<'a> Run<'a> {
    pub(super) fn new(input: Input<'a>) -> Self {
        let arena = Owned::new();

        Self { input, arena, kept: Vec::new(), memory: Vec::new(), bits: (ptr::null_mut(), 0) }
    }

    pub(super) const fn arena(&self) -> *mut Arena {
        self.arena.at()
    }

    /// One of two storages of a type, or what is none.
    pub(super) fn storage<T>(&mut self, two: *mut [T; 2]) -> *mut T {
        let (choice, first) = (self.input.byte(), two.cast::<T>());
        // SAFETY: the arena is there.
        let junk = unsafe { (&raw mut (*self.arena()).junk).cast::<u8>() };
        match choice {
            0..120 => first,
            120..220 => first.wrapping_add(1),
            220..228 => ptr::null_mut(),
            228..240 => junk.wrapping_add(usize::from(choice % 7) + 1).cast(),
            240..=255 => junk.cast(),
        }
    }

    /// A storage that is only read: one of another type too.
    pub(super) fn stored<T>(&mut self, two: *mut [T; 2]) -> *const T {
        if self.input.byte() < 240 {
            return self.storage(two);
        }
        // SAFETY: the arena is there; the mark of every storage is in its first word.
        unsafe {
            let arena = self.arena();
            match self.input.byte() % 4 {
                0 => (&raw const (*arena).keys).cast(),
                1 => (&raw const (*arena).manifests).cast(),
                2 => (&raw const (*arena).tokens).cast(),
                _ => (&raw const (*arena).lists).cast(),
            }
        }
    }

    pub(super) fn floor(&mut self) -> *mut Floor {
        // SAFETY: the arena is there.
        let floors = unsafe { &raw mut (*self.arena()).floors };

        self.storage(floors)
    }

    /// A place for a result: its own, one that is not aligned, or none.
    pub(super) fn result<T>(&mut self, own: *mut T) -> *mut T {
        // SAFETY: the arena is there.
        let odd = unsafe { (&raw mut (*self.arena()).odd).cast::<u8>() };
        match self.input.byte() {
            0..=239 => own,
            240..=247 => odd.wrapping_add(1).cast(),
            248..=255 => ptr::null_mut(),
        }
    }

    /// A result that is read again: at its own place, or nowhere.
    pub(super) fn own<T>(&mut self, own: *mut T) -> *mut T {
        if self.input.byte() < 240 { own } else { ptr::null_mut() }
    }

    /// 16 bytes; the first choice is the account.
    pub(super) fn bytes16(&mut self) -> *const u8 {
        let choice = self.input.byte();
        if choice < 240 { of(What::Id, choice).as_ptr() } else { ptr::null() }
    }

    /// 16 bytes; the first choice is the audience.
    pub(super) fn audience(&mut self) -> *const u8 {
        let choice = self.input.byte();
        if choice < 240 { of(What::Id, choice + 1).as_ptr() } else { ptr::null() }
    }

    /// 32 bytes.
    pub(super) fn id32(&mut self) -> *const u8 {
        let choice = self.input.byte();
        if choice < 240 { of(What::List, choice).as_ptr() } else { ptr::null() }
    }

    /// A text, or what is none.
    pub(super) fn text(&mut self) -> Text {
        let Bytes { at, len } = match self.input.byte() {
            0..=199 => self.bytes(What::Text),
            choice => self.bytes(kind_of(choice)),
        };

        Text { bytes: at, len }
    }

    /// Bytes of a kind, whole or not.
    pub(super) fn bytes(&mut self, what: What) -> Bytes {
        let choice = self.input.byte();
        let good = of(what, choice);
        match choice {
            0..=191 => Bytes { at: good.as_ptr(), len: good.len() },
            192..=207 => self.changed(good),
            208..=215 => {
                let len = usize::from(self.input.u16()) % (good.len() + 1);
                self.keep(good.get(..len).unwrap_or_default())
            }
            216..=223 => {
                let len = self.input.byte().into();
                let raw = self.input.bytes(len);
                self.keep(raw)
            }
            224..=235 => {
                let (kind, which) = (self.input.byte(), self.input.byte());
                let other = of(kind_of(kind), which);
                Bytes { at: other.as_ptr(), len: other.len() }
            }
            236..=247 => self.part(choice),
            248..=251 => Bytes { at: ptr::null(), len: good.len() },
            252..=253 => Bytes { at: good.as_ptr(), len: ABSURD },
            254..=255 => Bytes { at: good.as_ptr(), len: usize::MAX },
        }
    }

    fn changed(&mut self, good: &[u8]) -> Bytes {
        let mut bytes = good.to_vec();
        for _ in 0..self.input.byte() % 8 {
            let (at, byte) = (self.input.u16(), self.input.byte());
            let at = usize::from(at) % bytes.len().max(1);
            bytes.iter_mut().skip(at).take(1).for_each(|place| *place ^= byte);
        }

        self.keep(&bytes)
    }

    /// A part of the bundle that was cut last.
    fn part(&self, choice: u8) -> Bytes {
        // SAFETY: the arena is there, and the bundle in it is zero or what the interface stored.
        let bundle = unsafe { (&raw const (*self.arena()).bundle).read() };
        let Text { bytes, len } = match choice % 4 {
            0 => bundle.manifest,
            1 => bundle.list,
            2 => bundle.file,
            _ => bundle.revoked,
        };

        Bytes { at: bytes, len }
    }

    fn keep(&mut self, bytes: &[u8]) -> Bytes {
        let kept = self.kept.len();
        self.kept.push(bytes.into());
        let bytes = self.kept.get(kept).expect("it was pushed");

        Bytes { at: bytes.as_ptr(), len: bytes.len() }
    }

    /// Memory to be written, about as much as `fits`, and not always aligned.
    pub(super) fn memory(&mut self, fits: usize) -> BytesMut {
        let choice = self.input.byte();
        let len = match choice {
            0..=199 => fits,
            200..=209 => fits.saturating_sub(1),
            210..=219 => fits + usize::from(choice % 9),
            220..=229 => 0,
            230..=239 => return BytesMut { at: ptr::null_mut(), len: fits },
            240..=255 => usize::from(self.input.byte()),
        };
        // Aligned, so that an odd place is one that was chosen.
        let mut memory = vec![0_u64; len.div_ceil(8) + 1];
        let shift = if choice % 8 == 7 { usize::from(choice % 5) } else { 0 };
        let at = memory.as_mut_ptr().cast::<u8>().wrapping_add(shift);
        self.memory.push(memory);

        BytesMut { at, len }
    }

    /// The bits of the last list once more, or new ones.
    pub(super) fn bits(&mut self, room: usize) -> BytesMut {
        let (at, len) = self.bits;
        if self.input.byte() % 4 == 1 {
            return BytesMut { at, len };
        }
        let bits = self.memory(room);
        self.bits = (bits.at, bits.len);

        bits
    }
}

/// Where something of the caller's stands; null where it is none.
pub(super) fn at<T>(value: Option<&T>) -> *const T {
    value.map_or(ptr::null(), ptr::from_ref)
}

fn of(what: What, choice: u8) -> &'static [u8] {
    let all = pool(what);

    all.get(usize::from(choice) % all.len()).expect("a place below the length")
}

fn kind_of(number: u8) -> What {
    use What::{Beacon, Bundle, Delta, File, Id, KeySet, List, Manifest, Revoked, Text, Token};
    let all: [What; super::pool::KINDS] =
        [KeySet, Manifest, List, File, Delta, Beacon, Revoked, Bundle, Token, Text, Id];

    all.get(usize::from(number) % all.len()).copied().unwrap_or(Text)
}
