//! Prints the figures that ARCHITECTURE sets budgets for: bytes, opening, deciding.
//!
//! What is compared runs in turns in one process, so that a shared machine slows both; the ratios
//! are to be believed, the times less so. Run: `cargo bench -p gateward-core`.
#![expect(
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures and prints"
)]

use core::hint::black_box;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gateward_core::decide::{Ask, Mode, decide};
use gateward_core::division::DivisionRules;
use gateward_core::name::Uuid;
use gateward_core::permission::{Operation, PermissionSet};
use gateward_core::principal::{PrincipalKind, TokenKind};
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use gateward_core::snapshot::{chunk, unsigned};
use gateward_core::time::{End, UnixSeconds};
use gateward_core::token::{self, Context, Secret, Token};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
/// How often each thing is timed; the least and the middle are shown.
const ROUNDS: usize = 41;
/// Decisions a round.
const BATCH: usize = 4_096;

fn main() {
    println!("tokens    B/API token  hash file  validate  decode+CRC  decision  reference  ratio*");
    for tokens in [1_000, 100_000, 1_000_000] {
        measure(tokens);
    }
    println!("ratio* = decision / (1.3 x reference + decode and CRC of the text): at most 1");
}

fn measure(api_tokens: usize) {
    let world = World::new(api_tokens);
    let file = world.contents.compile(VerifierLen::Full).expect("the workload fits");
    let half = world.contents.compile(VerifierLen::Half).expect("the workload fits");
    let per_token = |bytes: usize| bytes as f64 / api_tokens as f64;

    let hash = time(|| black_box(chunk::root_of(&file, 15)).is_some());
    let check = time(|| unsigned(&file[..]).is_ok());
    let opened = unsigned(&file[..]).expect("it was just compiled");
    let view = opened.view();
    let ids = ["manage_device"].into_iter();
    let ask =
        Ask::of_permissions(&view, ids, Some(Operation::Read), Some("division 3"), Mode::Direct);
    let texts = world.texts();
    let reference = Reference::new(&world);

    let (mut parse, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let allocations = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..ROUNDS {
        parse
            .push(each(&texts, |text| Token::read(text).is_ok_and(|token| token.is_well_formed())));
        ours.push(each(&texts, |text| {
            let Ok(token) = Token::read(text) else { return false };
            decide(&view, &ask, &token, NOW, DivisionRules::default()).is_allowed()
        }));
        theirs.push(each(&texts, |text| reference.allows(text, 7, 3)));
    }
    let allocated = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
    assert!(allocated <= 8 * ROUNDS as u64, "a decision allocates: {allocated}");

    let [parse, ours, theirs] = [parse, ours, theirs].map(middle);
    let ratio = ours / (1.3 * theirs + parse);
    println!(
        "{api_tokens:>9} {:>5.1} ({:>4.1})  {:>6.2} ms  {:>5.2} ms  {parse:>7.0} ns  {ours:>5.0} ns  {theirs:>6.0} ns  {ratio:>5.2}",
        per_token(file.len()),
        per_token(half.len()),
        hash * 1e3,
        check * 1e3,
    );
}

/// The workload of MEASURED: a tenth as many administrators and as many service users with one
/// token each, 64 divisions, names of about 24 bytes.
struct World {
    contents: Contents,
    secrets: Vec<(TokenKind, u64, Secret)>,
}

impl World {
    fn new(api_tokens: usize) -> Self {
        let account = Uuid([7; 16]);
        let context = Context::new(&account.0);
        let mut draw = Draw(1);
        let mut contents = Contents { account, ..Contents::default() };
        contents.divisions = (0..64).map(|n| (uuid(n), format!("division {n}"))).collect();
        let admins = api_tokens / 10;
        for at in 0..2 * admins {
            let service = at >= admins;
            let scope = (0..=draw.below(4)).map(|_| uuid(draw.below(64) as u64)).collect();
            contents.principals.insert(
                at as u32 * 3,
                PrincipalEntry {
                    id: uuid(1_000 + at as u64),
                    name: format!("principal of plant {at:>5}"),
                    kind: if service { PrincipalKind::ServiceUser } else { PrincipalKind::User },
                    disabled: draw.below(20) == 0,
                    no_iot_access: false,
                    permissions: PermissionSet(0x3f7ef & !(1 << draw.below(12))),
                    scope: if draw.below(2) == 0 { Scope::All } else { Scope::Only(scope) },
                    end: End::NEVER,
                },
            );
        }
        let mut secrets = Vec::new();
        for at in 0..api_tokens + admins {
            let service = at >= api_tokens;
            let owner = if service { admins + at - api_tokens } else { at % admins };
            let (id, secret) = (draw.next(), Secret(core::array::from_fn(|_| draw.next() as u8)));
            contents.tokens.insert(
                id,
                TokenEntry {
                    principal: owner as u32 * 3,
                    disabled: draw.below(20) == 0,
                    end: if draw.below(10) == 0 { End(1_700_000_000) } else { End::NEVER },
                    verifier: context.verifier(id, &secret),
                },
            );
            secrets.push((if service { TokenKind::Service } else { TokenKind::Api }, id, secret));
        }

        Self { contents, secrets }
    }

    /// Tokens to ask about, one in eight of them unknown, in no order.
    fn texts(&self) -> Vec<[u8; token::TEXT_LEN]> {
        let mut draw = Draw(99);
        (0..BATCH)
            .map(|at| {
                let (kind, id, secret) = &self.secrets[draw.below(self.secrets.len())];
                let id = if at % 8 == 0 { draw.next() } else { *id };
                token::write(*kind, id, secret)
            })
            .collect()
    }
}

/// A hand-written table as it would be built for speed alone: two buckets always probed, compared
/// without a branch, bit tests. It knows no kinds, operations, system users or limits in time of a
/// snapshot.
struct Reference {
    context: Context,
    buckets: Vec<[(u64, u32); 4]>,
    rows: Vec<Row>,
    owners: Vec<Owner>,
}

struct Row {
    owner: u32,
    end: u32,
    disabled: bool,
    verifier: [u8; 32],
}

struct Owner {
    permissions: u64,
    scope: u64,
    disabled: bool,
}

impl Reference {
    fn new(world: &World) -> Self {
        let contents = &world.contents;
        let divisions: Vec<Uuid> = contents.divisions.keys().copied().collect();
        let keys: Vec<u32> = contents.principals.keys().copied().collect();
        let owners = contents
            .principals
            .values()
            .map(|owner| Owner {
                permissions: owner.permissions.0,
                scope: match &owner.scope {
                    Scope::All => u64::MAX,
                    Scope::Only(only) => divisions
                        .iter()
                        .enumerate()
                        .fold(0, |set, (at, id)| set | u64::from(only.contains(id)) << at),
                },
                disabled: owner.disabled,
            })
            .collect();
        let rows = contents
            .tokens
            .values()
            .map(|token| Row {
                owner: keys.binary_search(&token.principal).expect("it is there") as u32,
                end: token.end.0,
                disabled: token.disabled,
                verifier: token.verifier,
            })
            .collect();
        let mut table = Self {
            context: Context::new(&contents.account.0),
            buckets: vec![[(0, u32::MAX); 4]; (contents.tokens.len() / 2).next_power_of_two()],
            rows,
            owners,
        };
        for (at, id) in contents.tokens.keys().enumerate() {
            table.insert(*id, at as u32);
        }

        table
    }

    fn places(&self, id: u64) -> [usize; 2] {
        let mask = self.buckets.len() - 1;
        [id as usize & mask, (id >> 32) as usize & mask]
    }

    fn insert(&mut self, mut id: u64, mut row: u32) {
        for kick in 0.. {
            for place in self.places(id) {
                if let Some(free) = self.buckets[place].iter_mut().find(|(_, row)| *row == u32::MAX)
                {
                    *free = (id, row);
                    return;
                }
            }
            let place = self.places(id)[kick % 2];
            let slot = &mut self.buckets[place][kick / 2 % 4];
            (id, row) = core::mem::replace(slot, (id, row));
        }
    }

    #[inline(never)]
    fn allows(&self, text: &[u8], permission: u32, division: u32) -> bool {
        let Ok(token) = Token::read(text) else { return false };
        let verifier = self.context.verifier(token.lookup.id, token.secret());
        let mut row = 0;
        for place in self.places(token.lookup.id) {
            for (id, candidate) in self.buckets[place] {
                let same = u32::from(id == token.lookup.id).wrapping_neg();
                row |= black_box(same) & candidate;
            }
        }
        let row = &self.rows[row as usize];
        let owner = &self.owners[row.owner as usize];
        let differs = verifier.iter().zip(&row.verifier).fold(0, |all, (a, b)| all | (a ^ b));
        let permitted = owner.permissions >> permission & owner.scope >> division & 1;

        token.is_well_formed()
            & (differs == 0)
            & (u64::from(row.end) > NOW.0)
            & !row.disabled
            & !owner.disabled
            & (permitted == 1)
    }
}

/// Seconds for one call, the least of a few.
fn time(mut call: impl FnMut() -> bool) -> f64 {
    (0..7)
        .map(|_| {
            let start = Instant::now();
            assert!(black_box(call()));
            start.elapsed().as_secs_f64()
        })
        .fold(f64::MAX, f64::min)
}

/// Nanoseconds for each of `texts`.
fn each(texts: &[[u8; token::TEXT_LEN]], mut call: impl FnMut(&[u8]) -> bool) -> f64 {
    let start = Instant::now();
    for text in texts {
        black_box(call(black_box(text)));
    }

    start.elapsed().as_secs_f64() * 1e9 / texts.len() as f64
}

fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn uuid(n: u64) -> Uuid {
    let mut bytes = [0x22; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    Uuid(bytes)
}

/// A repeatable stream of numbers.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Counts allocations, so that "none" is a measured word.
struct Counting;

#[expect(unsafe_code, reason = "an allocator can only be made so; it hands everything on")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the promises of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `GlobalAlloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
