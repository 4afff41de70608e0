//! Writes a snapshot: the same contents give the same bytes, anywhere.
//!
//! Maps are ordered, so the order in which a policy was read leaves no trace.

extern crate alloc;

mod contents;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

pub use contents::{BadContents, Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use sha2::{Digest, Sha256};
use zerocopy::IntoBytes;

use super::layout::{
    DISABLED, DivisionRecord, GrantRecord, Header, MAGIC, MAX_FILE, MAX_GRANTS, MAX_PRINCIPALS,
    MAX_RESOURCES, MAX_TOKENS, MAX_WINDOW, NO_DIVISION, NO_IOT_ACCESS, PrincipalRecord,
    ResourceRecord, RowRecord, SCOPE_ALL, TOKEN_DISABLED, bucket, dir_bits,
};
use crate::division::MAX_DIVISIONS;
use crate::name::{Name, Uuid};
use crate::permission::PermissionSet;

impl Contents {
    /// Returns the bytes.
    ///
    /// # Errors
    ///
    /// Returns what does not fit the format.
    pub fn compile(&self, verifier: VerifierLen) -> Result<Vec<u8>, BadContents> {
        self.check_counts()?;
        let places: BTreeMap<Uuid, u16> = self.divisions.keys().copied().zip(0..).collect();
        let grants = self.grants()?;
        let ids: Vec<u64> = self.tokens.keys().copied().collect();
        let (directory, window) = directory(&ids)?;
        let verifier_len = match verifier {
            VerifierLen::Full => 32,
            VerifierLen::Half => 16,
        };

        let mut heap = Vec::new();
        let mut body = Vec::new();
        self.write_divisions(&mut body, &mut heap)?;
        for (key, permissions) in &grants {
            let record = GrantRecord {
                permissions: permissions.0.into(),
                key: (*key).into(),
                zero: 0.into(),
            };
            body.extend(record.as_bytes());
        }
        self.write_principals(&mut body, &mut heap, &places, &grants)?;
        ids.iter().for_each(|id| body.extend(id.to_le_bytes()));
        self.write_rows(&mut body, verifier_len)?;
        directory.iter().for_each(|first| body.extend(first.to_le_bytes()));
        self.write_resources(&mut body, &places)?;
        body.extend(&heap);
        body.extend(&self.ext);

        let header = self.header(&grants, heap.len(), body.len(), verifier_len, window)?;
        let mut file = Vec::with_capacity(size_of::<Header>() + body.len());
        file.extend(header.as_bytes());
        file.append(&mut body);

        Ok(file)
    }

    fn check_counts(&self) -> Result<(), BadContents> {
        for (what, count, limit) in [
            ("tokens", self.tokens.len(), MAX_TOKENS),
            ("principals", self.principals.len(), MAX_PRINCIPALS),
            ("divisions", self.divisions.len(), MAX_DIVISIONS),
            ("resources", self.resources.len(), MAX_RESOURCES),
            ("bytes of extensions", self.ext.len(), super::MAX_EXT),
        ] {
            if count > limit {
                return Err(BadContents::TooMany(what, limit));
            }
        }

        Ok(())
    }

    /// Gives every permission set in use a key that depends on the set alone, or nearly so: where
    /// two collide, the greater set takes the next free key.
    fn grants(&self) -> Result<BTreeMap<u32, PermissionSet>, BadContents> {
        let sets: BTreeSet<PermissionSet> =
            self.principals.values().map(|principal| principal.permissions).collect();
        if sets.len() > MAX_GRANTS {
            return Err(BadContents::TooMany("permission sets", MAX_GRANTS));
        }
        let mut grants = BTreeMap::new();
        for set in sets {
            let mut hash = Sha256::new();
            hash.update(b"gwd-grant\0");
            hash.update(set.0.to_le_bytes());
            place(&mut grants, stable_key(hash), set);
        }

        Ok(grants)
    }

    fn header(
        &self,
        grants: &BTreeMap<u32, PermissionSet>,
        heap_len: usize,
        body_len: usize,
        verifier_len: u8,
        window: u8,
    ) -> Result<Header, BadContents> {
        let file_len = size_of::<Header>() + body_len;
        if file_len > MAX_FILE {
            return Err(BadContents::TooMany("bytes", MAX_FILE));
        }
        // Every count is below its limit, and every limit fits.
        let u32_of = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).into();
        let u16_of = |n: usize| u16::try_from(n).unwrap_or(u16::MAX).into();

        Ok(Header {
            magic: MAGIC,
            account: self.account.0,
            n_tokens: u32_of(self.tokens.len()),
            n_principals: u32_of(self.principals.len()),
            n_grants: u16_of(grants.len()),
            n_divisions: u16_of(self.divisions.len()),
            scope_words: u8::try_from(self.words()).unwrap_or(u8::MAX),
            verifier_len,
            flags: 0.into(),
            heap_len: u32_of(heap_len),
            file_len: u32_of(file_len),
            dir_bits: dir_bits(self.tokens.len()),
            window,
            zero: [0; 2],
            features_critical: 0.into(),
            features_other: 0.into(),
            n_resources: u32_of(self.resources.len()),
            ext_len: u32_of(self.ext.len()),
            account_status: u8::from(self.suspended),
            zeros: [0; 11],
        })
    }

    fn words(&self) -> usize {
        self.divisions.len().div_ceil(64)
    }

    fn write_divisions(&self, body: &mut Vec<u8>, heap: &mut Vec<u8>) -> Result<(), BadContents> {
        for (id, name) in &self.divisions {
            let (name_off, name_len) = put_name(heap, name)?;
            let record = DivisionRecord { id: id.0, name_off: name_off.into(), name_len, zero: 0 };
            body.extend(record.as_bytes());
        }

        Ok(())
    }

    fn write_principals(
        &self,
        body: &mut Vec<u8>,
        heap: &mut Vec<u8>,
        places: &BTreeMap<Uuid, u16>,
        grants: &BTreeMap<u32, PermissionSet>,
    ) -> Result<(), BadContents> {
        let index: BTreeMap<PermissionSet, u16> = grants.values().copied().zip(0..).collect();
        for (key, principal) in &self.principals {
            let (name_off, name_len) = put_name(heap, &principal.name)?;
            let flag = |on: bool, flag: u8| if on { flag } else { 0 };
            let record = PrincipalRecord {
                key: (*key).into(),
                id: principal.id.0,
                name_off: name_off.into(),
                grant: index.get(&principal.permissions).copied().unwrap_or(u16::MAX).into(),
                name_len,
                kind: principal.kind as u8,
                flags: flag(principal.disabled, DISABLED)
                    | flag(principal.no_iot_access, NO_IOT_ACCESS)
                    | flag(principal.scope == Scope::All, SCOPE_ALL),
                zero: [0; 3],
                end: principal.end.0.into(),
                zeros: [0; 4],
            };
            body.extend(record.as_bytes());
            for word in self.bitmap(&principal.scope, places)? {
                body.extend(word.to_le_bytes());
            }
        }

        Ok(())
    }

    fn bitmap(&self, scope: &Scope, places: &BTreeMap<Uuid, u16>) -> Result<Vec<u64>, BadContents> {
        let mut words = alloc::vec![0_u64; self.words()];
        if let Scope::Only(divisions) = scope {
            for id in divisions {
                let at = places.get(id).ok_or(BadContents::UnknownDivision(*id))?;
                if let Some(word) = words.get_mut(usize::from(at / 64)) {
                    *word |= 1 << (at % 64);
                }
            }
        }

        Ok(words)
    }

    fn write_rows(&self, body: &mut Vec<u8>, verifier_len: u8) -> Result<(), BadContents> {
        let index: BTreeMap<u32, u32> = self.principals.keys().copied().zip(0..).collect();
        for token in self.tokens.values() {
            let owner =
                index.get(&token.principal).ok_or(BadContents::UnknownOwner(token.principal))?;
            let disabled = if token.disabled { TOKEN_DISABLED } else { 0 };
            let row = RowRecord { principal: (owner | disabled).into(), end: token.end.0.into() };
            body.extend(row.as_bytes());
            body.extend(token.verifier.iter().take(usize::from(verifier_len)));
        }

        Ok(())
    }

    fn write_resources(
        &self,
        body: &mut Vec<u8>,
        places: &BTreeMap<Uuid, u16>,
    ) -> Result<(), BadContents> {
        for ((kind, id), division) in &self.resources {
            let division = match division {
                Some(division) => {
                    *places.get(division).ok_or(BadContents::UnknownDivision(*division))?
                }
                None => NO_DIVISION,
            };
            let record = ResourceRecord {
                kind: *kind,
                zero: 0,
                division: division.into(),
                zeros: 0.into(),
                id: id.0,
            };
            body.extend(record.as_bytes());
        }

        Ok(())
    }
}

/// Returns the keys of principals: stable from version to version, because they hang on ids alone.
///
/// `ids` holds every principal that the account has ever had, deleted ones too.
#[must_use]
pub fn principal_keys(ids: &BTreeSet<Uuid>) -> BTreeMap<Uuid, u32> {
    let mut taken = BTreeMap::new();
    for id in ids {
        let mut hash = Sha256::new();
        hash.update(b"gwd-principal\0");
        hash.update(id.0);
        place(&mut taken, stable_key(hash), *id);
    }

    taken.into_iter().map(|(key, id)| (id, key)).collect()
}

fn stable_key(hash: Sha256) -> u32 {
    hash.finalize().iter().take(4).rev().fold(0, |key, byte| (key << 8) | u32::from(*byte))
}

/// Puts `value` at `key` or at the next free one.
fn place<T>(taken: &mut BTreeMap<u32, T>, mut key: u32, value: T) {
    while taken.contains_key(&key) {
        key = key.wrapping_add(1);
    }
    taken.insert(key, value);
}

fn put_name(heap: &mut Vec<u8>, name: &str) -> Result<(u32, u8), BadContents> {
    let bad = || BadContents::Name(name.into());
    Name::new(name).map_err(|_| bad())?;
    let offset = u32::try_from(heap.len()).map_err(|_| bad())?;
    let len = u8::try_from(name.len()).map_err(|_| bad())?;
    heap.extend(name.as_bytes());

    Ok((offset, len))
}

/// Returns the first rank of every bucket with the number of ids at the end, and the width of the
/// window that holds the fullest bucket.
fn directory(ids: &[u64]) -> Result<(Vec<u32>, u8), BadContents> {
    let bits = dir_bits(ids.len());
    let buckets = 1_usize << bits;
    let mut directory = Vec::with_capacity(buckets + 1);
    let (mut rest, mut rank, mut fullest) = (ids.iter().peekable(), 0_u32, 0_u32);
    for at in 0..buckets {
        directory.push(rank);
        let before = rank;
        while rest.next_if(|id| bucket(**id, bits) <= at).is_some() {
            rank += 1;
        }
        fullest = fullest.max(rank - before);
    }
    directory.push(rank);
    let window = u8::try_from(fullest.next_multiple_of(4)).map_err(|_| BadContents::Crowded)?;

    if window > MAX_WINDOW { Err(BadContents::Crowded) } else { Ok((directory, window)) }
}
