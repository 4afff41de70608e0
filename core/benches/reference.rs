//! The decision as it would be written for speed alone: a table of two buckets, both always
//! probed, compared without a branch; SHA-256 of the secret; bit tests.
//!
//! It reads the text of a token with the same code as ours, and knows the moment, status, end,
//! permissions and divisions. It knows no kinds, no operations, no system users, no limits in time
//! of a snapshot, no reasons, and it trusts what it was built from.

use gateward_core::snapshot::build::Scope;
use gateward_core::token::{Context, Token};

use crate::workload::{ASKED, NOW, World, place};

/// The table.
pub struct Reference {
    context: Context,
    buckets: Vec<Bucket>,
    rows: Vec<Row>,
    owners: Vec<Owner>,
}

/// One cache line.
#[derive(Clone)]
#[repr(align(64))]
struct Bucket([(u64, u32); 4]);

const FREE: u32 = u32::MAX;

struct Row {
    verifier: [u8; 32],
    owner: u32,
    end: u32,
    disabled: bool,
}

struct Owner {
    permissions: u64,
    divisions: u64,
    disabled: bool,
}

impl Reference {
    pub fn new(world: &World) -> Self {
        let contents = &world.contents;
        let keys: Vec<u32> = contents.principals.keys().copied().collect();
        let owners = contents.principals.values().map(|owner| Owner {
            permissions: owner.permissions.0,
            divisions: match &owner.scope {
                Scope::All => u64::MAX,
                Scope::Only(held) => held.iter().fold(0, |all, id| all | 1 << place(*id)),
            },
            disabled: owner.disabled,
        });
        let rows = contents.tokens.values().map(|token| Row {
            verifier: token.verifier,
            owner: number(keys.binary_search(&token.principal).expect("every owner is there")),
            end: token.end.0,
            disabled: token.disabled,
        });
        let buckets = (contents.tokens.len() / 2).next_power_of_two();
        let mut table = Self {
            context: Context::new(&contents.account.0),
            buckets: vec![Bucket([(0, FREE); 4]); buckets],
            rows: rows.collect(),
            owners: owners.collect(),
        };
        for (at, id) in contents.tokens.keys().enumerate() {
            table.insert(*id, number(at));
        }

        table
    }

    fn places(&self, id: u64) -> [usize; 2] {
        let mask = self.buckets.len() - 1;
        [id, id >> 32].map(|half| usize::try_from(half).expect("64 bits") & mask)
    }

    fn insert(&mut self, mut id: u64, mut row: u32) {
        for kick in 0.. {
            for place in self.places(id) {
                let slots = &mut self.buckets[place].0;
                if let Some(free) = slots.iter_mut().find(|(_, row)| *row == FREE) {
                    *free = (id, row);
                    return;
                }
            }
            let place = self.places(id)[kick % 2];
            let slot = &mut self.buckets[place].0[kick / 2 % 4];
            (id, row) = core::mem::replace(slot, (id, row));
        }
    }

    /// Decides about one text; `permission` is a place in [`ASKED`].
    #[inline(never)]
    pub fn allows(&self, text: &[u8], permission: usize, division: usize) -> bool {
        let Ok(token) = Token::read(text) else { return false };
        let verifier = self.context.verifier(token.lookup.id, token.secret());
        let mut row = 0;
        for place in self.places(token.lookup.id) {
            for (id, candidate) in self.buckets[place].0 {
                row |= u32::from(id == token.lookup.id).wrapping_neg() & candidate;
            }
        }
        let row = &self.rows[row as usize];
        let owner = &self.owners[row.owner as usize];
        let differs = verifier.iter().zip(&row.verifier).fold(0, |all, (a, b)| all | (a ^ b));
        let permitted = owner.permissions >> ASKED[permission].0 & owner.divisions >> division & 1;

        token.is_well_formed()
            & (differs == 0)
            & (u64::from(row.end) > NOW.0)
            & !row.disabled
            & !owner.disabled
            & (permitted == 1)
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).expect("not that many records")
}
