//! Reading and writing what is small, with one spelling for everything.
//!
//! postcard by itself takes several spellings of a number and ignores what follows; signatures are
//! over the bytes as received, so neither would let anything through, but two spellings of one
//! message would have two hashes. Only the one that is written here is read.
//!
//! What firmware verifies is read by a [`Reader`]: field by field, to where it belongs. What serde
//! makes of the same goes over the stack several times.

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

use super::Refused;
use crate::name::Uuid;
use crate::number;

/// The format of every payload.
pub(super) const FORMAT: u8 = 1;

/// Reads all of `bytes`, and only what would be written so: a remainder is refused with the rest.
pub(super) fn read<'a, T: Deserialize<'a> + Serialize>(bytes: &'a [u8]) -> Result<T, Refused> {
    let (value, rest) = take(bytes)?;

    rest.is_empty().then_some(value).ok_or(Refused::Malformed)
}

/// Reads a value off the front of `bytes`, in the one spelling that is written.
pub(crate) fn take<'a, T>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), Refused>
where
    T: Deserialize<'a> + Serialize,
{
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(|_| Refused::Malformed)?;
    let own = bytes.get(..bytes.len() - rest.len()).unwrap_or_default();
    let same = postcard::serialize_with_flavor(&value, Same(own)) == Ok(true);

    same.then_some((value, rest)).ok_or(Refused::Malformed)
}

/// Reads fields off the front of a message in the order in which they stand.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns what was not read yet.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Says that nothing is left.
    pub(crate) fn end(self) -> Result<(), Refused> {
        if self.0.is_empty() { Ok(()) } else { Err(Refused::Malformed) }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Refused> {
        let (byte, rest) = self.0.split_first().ok_or(Refused::Malformed)?;
        self.0 = rest;

        Ok(*byte)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Refused> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Refused::Malformed)?;
        self.0 = rest;

        Ok(array)
    }

    /// Reads a length, and as many bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Refused> {
        let len = self.count()?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Refused::Malformed)?;
        self.0 = rest;

        Ok(bytes)
    }

    /// Reads a list of at most `most` arrays, which stays where it is.
    pub(crate) fn arrays<const N: usize>(&mut self, most: usize) -> Result<&'a [[u8; N]], Refused> {
        let count = self.at_most(most)?;
        let len = count.checked_mul(N).ok_or(Refused::Malformed)?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Refused::Malformed)?;
        self.0 = rest;

        Ok(bytes.as_chunks().0)
    }

    /// Reads a count that has a limit.
    pub(crate) fn at_most(&mut self, most: usize) -> Result<usize, Refused> {
        let count = self.count()?;

        if count <= most { Ok(count) } else { Err(Refused::Malformed) }
    }

    fn count(&mut self) -> Result<usize, Refused> {
        usize::try_from(self.u32()?).map_err(|_| Refused::Malformed)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Refused> {
        u32::try_from(self.u64()?).map_err(|_| Refused::Malformed)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Refused> {
        number::take(&mut self.0).map_err(|_| Refused::Malformed)
    }
}

/// Reads what every payload begins with: the format and the account.
pub(super) fn take_account(payload: &[u8]) -> Result<(Uuid, &[u8]), Refused> {
    let (format, rest) = payload.split_first().ok_or(Refused::Malformed)?;
    if *format != FORMAT {
        return Err(Refused::UnknownFormat);
    }
    let (account, rest) = rest.split_first_chunk().ok_or(Refused::Malformed)?;

    Ok((Uuid(*account), rest))
}

/// Reads a payload: the format, the account, and what its type holds.
pub(super) fn read_payload<'a, T>(payload: &'a [u8]) -> Result<(Uuid, T), Refused>
where
    T: Deserialize<'a> + Serialize,
{
    let (account, rest) = take_account(payload)?;

    Ok((account, read(rest)?))
}

/// Compares what would be written with bytes at hand, without a buffer.
struct Same<'a>(&'a [u8]);

impl Flavor for Same<'_> {
    type Output = bool;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0 = self.0.strip_prefix(bytes).ok_or(postcard::Error::SerializeBufferFull)?;

        Ok(())
    }

    fn finalize(self) -> postcard::Result<bool> {
        Ok(self.0.is_empty())
    }
}

/// A chain head as its 32 bytes.
pub(super) mod head {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::audit::Head;

    pub(in crate::trust) fn serialize<S: Serializer>(
        head: &Head,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        head.0.serialize(to)
    }

    pub(in crate::trust) fn deserialize<'a, D: Deserializer<'a>>(
        from: D,
    ) -> Result<Head, D::Error> {
        <[u8; 32]>::deserialize(from).map(Head)
    }
}
