//! Prints what deltas cost: their bytes, and the time to apply them.
//!
//! Run: `cargo bench -p gateward-core --bench delta`. The budgets are those of ARCHITECTURE: apply
//! at 100k in 3 ms, and at 1M with root and opening in 150 ms. Times are those that the processor
//! worked, the least of a few: a shared machine only adds.
#![expect(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures and prints"
)]

mod allocations;
mod draw;

use core::hint::black_box;

use draw::Draw;
use gateward_core::name::Uuid;
use gateward_core::permission::PermissionSet;
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use gateward_core::snapshot::delta::{Broken, Delta, Mark, Sink, make};
use gateward_core::snapshot::{chunk, open};
use gateward_core::time::{End, UnixSeconds};
use gateward_core::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft};
use gateward_core::trust::{Audience, KeySet, Manifest, SigningKey};
use rustix::time::{ClockId, clock_gettime};

const LOG2: u8 = 15;
const ROUNDS: usize = 15;
const ACCOUNT: Uuid = Uuid([7; 16]);
const APPLY_100K_MS: f64 = 3.0;
const ALL_1M_MS: f64 = 150.0;
/// What is longer is never published.
const MAX_DELTA: usize = 96 * 1024;

type Change = (&'static str, fn(&mut Contents));

const CHANGES: [Change; 8] = [
    ("revoke one token", |all| {
        let middle = *all.tokens.keys().nth(all.tokens.len() / 2).expect("there are tokens");
        all.tokens.get_mut(&middle).expect("it is there").disabled = true;
    }),
    ("add ten tokens", |all| {
        let mut draw = Draw(5);
        all.tokens.extend((0..10).map(|_| (draw.next(), token(30))));
    }),
    ("change one role", |all| {
        let old = all.principals[&30].permissions;
        let holders = all.principals.values_mut().filter(|one| one.permissions == old);
        holders.for_each(|one| one.permissions = PermissionSet(1 << 20));
    }),
    ("disable one administrator", |all| {
        all.principals.get_mut(&30).expect("it is there").disabled ^= true;
    }),
    ("remove one administrator", |all| remove(all, 1, 1)),
    ("a new administrator with three tokens", |all| {
        all.principals.insert(31, administrator(31));
        let mut draw = Draw(6);
        all.tokens.extend((0..3).map(|_| (draw.next(), token(31))));
    }),
    ("rotate one token in a hundred", |all| {
        all.tokens.values_mut().step_by(100).for_each(|token| token.verifier = [1; 32]);
    }),
    ("a thousand come, a thousand go", |all| {
        all.principals.extend((0..1_000).map(|at| (at * 12 + 1, administrator(at))));
        remove(all, 1_000, 5);
    }),
];

fn main() {
    println!(
        "change                                  delta B    apply     root     open  together"
    );
    for tokens in [100_000, 1_000_000] {
        measure(tokens);
    }
}

fn measure(api_tokens: usize) {
    let contents = contents(api_tokens);
    let old = contents.compile(VerifierLen::Full).expect("the workload fits");
    let keys = Keys::new();
    let base = open(&old[..], keys.manifest(&old)).expect("it was just compiled");
    println!("{api_tokens} API tokens");
    for (name, change) in CHANGES {
        let mut later = contents.clone();
        change(&mut later);
        let new = later.compile(VerifierLen::Full).expect("the workload fits");
        let bytes = make(&old, &new, LOG2).expect("there is a delta");
        let delta = Delta::read(&bytes).expect("a delta");
        let mut marks = vec![Mark::default(); delta.room_on(&base)];
        let mut file = Filled(vec![0; new.len()], 0);
        let manifest = keys.manifest(&new);

        let (allocated, apply) = allocations::during(|| {
            time(|| {
                file.1 = 0;
                let delta = Delta::read(&bytes)?;
                delta.on(&base, &mut marks)?.write(&mut file)
            })
        });
        assert_eq!(allocated, 0, "applying allocates");
        assert!(file.0 == new, "another file");
        let root = time(|| chunk::root_of(&file.0, LOG2).ok_or(()));
        let opened = time(|| open(&file.0[..], manifest.clone()));
        let together = apply + root + opened;
        println!(
            "  {name:<38} {:>7}  {apply:>5.2} ms {root:>5.2} ms {opened:>5.2} ms {together:>6.1} ms",
            bytes.len()
        );
        let (measured, budget) =
            if api_tokens == 100_000 { (apply, APPLY_100K_MS) } else { (together, ALL_1M_MS) };
        if bytes.len() > MAX_DELTA {
            println!("    is published whole instead: the delta is too long");
        } else if measured > budget {
            println!("    past its budget of {budget} ms");
        }
    }
}

/// Milliseconds of one call, the least of a few.
fn time<T, E: core::fmt::Debug>(mut call: impl FnMut() -> Result<T, E>) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let start = worked_ms();
            black_box(call()).expect("it did before");
            worked_ms() - start
        })
        .fold(f64::MAX, f64::min)
}

/// How long the processor has worked for this thread.
fn worked_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);

    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Room that is there already, as flash would be.
struct Filled(Vec<u8>, usize);

impl Sink for Filled {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.0.get_mut(self.1..self.1 + bytes.len()).ok_or(Broken)?.copy_from_slice(bytes);
        self.1 += bytes.len();

        Ok(())
    }
}

/// The workload of MEASURED: a tenth as many administrators and as many service users with one
/// token each, 64 divisions, names of about 24 bytes.
fn contents(api_tokens: usize) -> Contents {
    let mut draw = Draw(1);
    let mut contents = Contents { account: ACCOUNT, ..Contents::default() };
    contents.divisions = (0..64).map(|n| (uuid(n), format!("division {n}"))).collect();
    let admins = api_tokens as u32 / 10;
    contents.principals = (0..2 * admins).map(|at| (at * 3, administrator(at))).collect();
    for at in 0..api_tokens as u32 + admins {
        let owner = if at < api_tokens as u32 { at % admins } else { admins + at % admins };
        contents.tokens.insert(draw.next(), token(owner * 3));
    }

    contents
}

fn administrator(at: u32) -> PrincipalEntry {
    PrincipalEntry {
        id: uuid(u64::from(at) + 1_000),
        name: format!("principal of plant {at:>5}"),
        kind: PrincipalKind::User,
        disabled: false,
        no_iot_access: false,
        permissions: PermissionSet(0x3f7ef & !(1 << (at % 12))),
        scope: Scope::Only([uuid(u64::from(at) % 64)].into()),
        end: End::NEVER,
    }
}

fn token(principal: u32) -> TokenEntry {
    TokenEntry { principal, disabled: false, end: End::NEVER, verifier: [9; 32] }
}

/// Removes `count` administrators, each so many after the last, with all their tokens.
fn remove(all: &mut Contents, count: u32, apart: u32) {
    let gone = |key: u32| key.is_multiple_of(3 * apart) && key < 3 * apart * count;
    all.principals.retain(|key, _| !gone(*key));
    all.tokens.retain(|_, token| !gone(token.principal));
}

fn uuid(n: u64) -> Uuid {
    let mut bytes = [0x22; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    Uuid(bytes)
}

/// Vouches for everything.
struct Keys(SigningKey, KeySet);

impl Keys {
    fn new() -> Self {
        let key = SigningKey::from_bytes(&[7; 32]);
        let set = KeySetDraft {
            account: ACCOUNT,
            epoch: 1,
            issued_at: UnixSeconds(1),
            expires: UnixSeconds(1_900_000_000),
            thresholds: [1; 4],
            required: [1; 4],
            keys: vec![KeyDraft::of(&key, 0b1111)],
            retired: Vec::new(),
            compromised: Vec::new(),
        };
        let set = KeySet::anchor(&set.sign(&[&key]).expect("one key"), ACCOUNT).expect("its own");

        Self(key, set)
    }

    fn manifest(&self, file: &[u8]) -> Manifest {
        let audience = Audience::of(ACCOUNT, "plant-7");
        let draft = ManifestDraft::of(ACCOUNT, audience, UnixSeconds(1_800_000_000), file, LOG2)
            .expect("it is not too long");
        let envelope = draft.sign(&[&self.0]).expect("one key");

        Manifest::verify(&envelope, &self.1, audience).expect("our own")
    }
}
