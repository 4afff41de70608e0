//! The bytes of a delta, read where they stand: one spelling, every list strictly ascending.
//!
//! What [`make`](fn@super::make) writes stands next to what reads it.

#[cfg(any(test, feature = "build"))]
extern crate alloc;

use core::marker::PhantomData;

use super::NotApplied;
use crate::division::MAX_DIVISIONS;
use crate::name::Name;
use crate::number;

/// Flag of a token that is put: it is disabled.
const DISABLED: u8 = 1;

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;

        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;

        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn number(&mut self) -> Option<u64> {
        number::take(&mut self.0).ok()
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;

        self.take(usize::try_from(len).ok()?)
    }
}

/// What the records of the base look like, so that a delta can be read without it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Shape {
    pub(super) scope_words: u8,
    pub(super) verifier_len: u8,
}

impl Shape {
    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let [scope_words, verifier_len] = from.array()?;
        let good =
            usize::from(scope_words) <= MAX_DIVISIONS / 64 && matches!(verifier_len, 16 | 32);

        good.then_some(Self { scope_words, verifier_len })
    }
}

/// What stands in a list, in the order of its key.
pub(super) trait Keyed {
    type Key: Copy + Ord;

    fn key(&self) -> Self::Key;
}

/// How it is written down.
pub(super) trait Entry<'a>: Keyed + Sized {
    fn read(from: &mut Reader<'a>, shape: Shape) -> Option<Self>;
    /// Returns whether it may stand there: looked at once, though a list is walked often.
    fn is_sound(&self) -> bool {
        true
    }
    #[cfg(any(test, feature = "build"))]
    fn write(&self, to: &mut alloc::vec::Vec<u8>);
}

impl Keyed for u32 {
    type Key = Self;

    fn key(&self) -> Self {
        *self
    }
}

impl<'a> Entry<'a> for u32 {
    fn read(from: &mut Reader<'a>, _: Shape) -> Option<Self> {
        from.u32()
    }

    #[cfg(any(test, feature = "build"))]
    fn write(&self, to: &mut alloc::vec::Vec<u8>) {
        to.extend(self.to_le_bytes());
    }
}

impl Keyed for u64 {
    type Key = Self;

    fn key(&self) -> Self {
        *self
    }
}

impl<'a> Entry<'a> for u64 {
    fn read(from: &mut Reader<'a>, _: Shape) -> Option<Self> {
        from.array().map(Self::from_le_bytes)
    }

    #[cfg(any(test, feature = "build"))]
    fn write(&self, to: &mut alloc::vec::Vec<u8>) {
        to.extend(self.to_le_bytes());
    }
}

/// Kind and id of a resource.
pub(super) type ResourceKey = (u8, [u8; 16]);

impl Keyed for ResourceKey {
    type Key = Self;

    fn key(&self) -> Self {
        *self
    }
}

impl<'a> Entry<'a> for ResourceKey {
    fn read(from: &mut Reader<'a>, _: Shape) -> Option<Self> {
        Some((from.u8()?, from.array()?))
    }

    #[cfg(any(test, feature = "build"))]
    fn write(&self, to: &mut alloc::vec::Vec<u8>) {
        to.push(self.0);
        to.extend(self.1);
    }
}

/// A permission set that comes or takes the place of the one of its key.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct GrantPut {
    pub(super) key: u32,
    pub(super) permissions: u64,
}

impl Keyed for GrantPut {
    type Key = u32;

    fn key(&self) -> u32 {
        self.key
    }
}

impl<'a> Entry<'a> for GrantPut {
    fn read(from: &mut Reader<'a>, _: Shape) -> Option<Self> {
        Some(Self { key: from.u32()?, permissions: from.number()? })
    }

    #[cfg(any(test, feature = "build"))]
    fn write(&self, to: &mut alloc::vec::Vec<u8>) {
        to.extend(self.key.to_le_bytes());
        put_number(to, self.permissions);
    }
}

/// A principal that comes or takes the place of the one of its key.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct PrincipalPut<'a> {
    pub(super) key: u32,
    pub(super) id: [u8; 16],
    pub(super) name: &'a [u8],
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// Key of its grant.
    pub(super) grant: u32,
    pub(super) end: u32,
    /// Its bitmap, as it stands in a snapshot.
    pub(super) scope: &'a [u8],
}

impl Keyed for PrincipalPut<'_> {
    type Key = u32;

    fn key(&self) -> u32 {
        self.key
    }
}

impl<'a> Entry<'a> for PrincipalPut<'a> {
    fn read(from: &mut Reader<'a>, shape: Shape) -> Option<Self> {
        let (key, id) = (from.u32()?, from.array()?);
        let name = from.bytes()?;
        let [kind, flags] = from.array()?;
        let (grant, end) = (from.u32()?, from.u32()?);
        let scope = from.take(8 * usize::from(shape.scope_words))?;

        Some(Self { key, id, name, kind, flags, grant, end, scope })
    }

    fn is_sound(&self) -> bool {
        core::str::from_utf8(self.name).is_ok_and(|name| Name::new(name).is_ok())
    }

    #[cfg(any(test, feature = "build"))]
    fn write(&self, to: &mut alloc::vec::Vec<u8>) {
        to.extend(self.key.to_le_bytes());
        to.extend(self.id);
        bytes(to, self.name);
        to.extend([self.kind, self.flags]);
        to.extend(self.grant.to_le_bytes());
        to.extend(self.end.to_le_bytes());
        to.extend(self.scope);
    }
}

/// A token that comes or takes the place of the one of its id.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct TokenPut<'a> {
    pub(super) id: u64,
    /// Key of its owner.
    pub(super) owner: u32,
    pub(super) disabled: bool,
    pub(super) end: u32,
    pub(super) verifier: &'a [u8],
}

impl Keyed for TokenPut<'_> {
    type Key = u64;

    fn key(&self) -> u64 {
        self.id
    }
}

impl<'a> Entry<'a> for TokenPut<'a> {
    fn read(from: &mut Reader<'a>, shape: Shape) -> Option<Self> {
        let id = from.array().map(u64::from_le_bytes)?;
        let owner = from.u32()?;
        let disabled = from.u8().filter(|flags| *flags <= DISABLED)? == DISABLED;
        let end = from.u32()?;
        let verifier = from.take(usize::from(shape.verifier_len))?;

        Some(Self { id, owner, disabled, end, verifier })
    }

    #[cfg(any(test, feature = "build"))]
    fn write(&self, to: &mut alloc::vec::Vec<u8>) {
        to.extend(self.id.to_le_bytes());
        to.extend(self.owner.to_le_bytes());
        to.push(if self.disabled { DISABLED } else { 0 });
        to.extend(self.end.to_le_bytes());
        to.extend(self.verifier);
    }
}

/// A resource that comes or is in another division from now on.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct ResourcePut {
    pub(super) key: ResourceKey,
    /// Place of its division.
    pub(super) division: u16,
}

impl Keyed for ResourcePut {
    type Key = ResourceKey;

    fn key(&self) -> ResourceKey {
        self.key
    }
}

impl<'a> Entry<'a> for ResourcePut {
    fn read(from: &mut Reader<'a>, shape: Shape) -> Option<Self> {
        let key = Entry::read(from, shape)?;

        Some(Self { key, division: from.array().map(u16::from_le_bytes)? })
    }

    #[cfg(any(test, feature = "build"))]
    fn write(&self, to: &mut alloc::vec::Vec<u8>) {
        self.key.write(to);
        to.extend(self.division.to_le_bytes());
    }
}

/// A list that was read once and is walked as often as needed.
pub(super) struct List<'a, T> {
    rest: Reader<'a>,
    left: usize,
    shape: Shape,
    kind: PhantomData<T>,
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        Self { rest: self.rest, left: self.left, shape: self.shape, kind: self.kind }
    }
}

impl<T> List<'_, T> {
    /// Returns how many entries are left; each was seen, so no count is believed.
    pub(super) const fn len(&self) -> usize {
        self.left
    }
}

impl<'a, T: Entry<'a>> List<'a, T> {
    /// Looks at every entry and its order.
    pub(super) fn read(from: &mut Reader<'a>, shape: Shape) -> Result<Self, NotApplied> {
        let left = from.number().and_then(|count| usize::try_from(count).ok());
        let left = left.ok_or(NotApplied::Malformed)?;
        let list = Self { rest: *from, left, shape, kind: PhantomData };
        let mut last = None;
        for _ in 0..left {
            let entry = T::read(from, shape).filter(T::is_sound);
            let entry = entry.ok_or(NotApplied::Malformed)?;
            if last >= Some(entry.key()) {
                return Err(NotApplied::Order);
            }
            last = Some(entry.key());
        }

        Ok(list)
    }
}

impl<'a, T: Entry<'a>> Iterator for List<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;

        T::read(&mut self.rest, self.shape)
    }
}

#[cfg(any(test, feature = "build"))]
pub(super) fn put_number(to: &mut alloc::vec::Vec<u8>, mut value: u64) {
    while value > 0x7f {
        to.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    to.push(value.to_le_bytes()[0]);
}

#[cfg(any(test, feature = "build"))]
pub(super) fn bytes(to: &mut alloc::vec::Vec<u8>, bytes: &[u8]) {
    put_number(to, bytes.len() as u64);
    to.extend(bytes);
}
