//! A small account: somebody of every kind, everybody's token, and an added permission and route.
//!
//! Secrets follow from the number of the token and are worth nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use gateward_core::name::Uuid;
use gateward_core::permission::{KNOWN, Operation, Operations, PermissionSet};
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use gateward_core::snapshot::ext::PermissionRecord;
use gateward_core::snapshot::{Verified, View, open};
use gateward_core::time::End;
use gateward_core::token::{self, Context, Secret};

use crate::cast::{self, ACCOUNT, NOW};

/// What a gateway holds, and the texts of all tokens.
#[derive(Debug)]
pub(crate) struct Fixture {
    verified: Verified<Vec<u8>>,
    tokens: Vec<Vec<u8>>,
}

impl Fixture {
    pub(crate) fn view(&self) -> View<'_> {
        self.verified.view()
    }

    pub(crate) const fn verified(&self) -> &Verified<Vec<u8>> {
        &self.verified
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.verified.bytes()
    }

    pub(crate) fn tokens(&self) -> &[Vec<u8>] {
        &self.tokens
    }
}

pub(crate) fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();

    FIXTURE.get_or_init(|| {
        let (contents, tokens) = account();
        let file = contents.compile(VerifierLen::Full).expect("a small account fits");
        let manifest = cast::manifest(&file, 15).expect("a manifest can name it");
        let verified = open(file, manifest).expect("what was compiled is good");
        Fixture { verified, tokens }
    })
}

/// The divisions A, B and C.
pub(crate) fn division(at: u8) -> Uuid {
    Uuid([0xd1 + at; 16])
}

/// The contents, and the texts of the tokens.
pub(crate) fn account() -> (Contents, Vec<Vec<u8>>) {
    use PrincipalKind::{ServiceUser, SystemUser, User};
    let all = Scope::All;
    let only = |at: &[u8]| Scope::Only(at.iter().map(|at| division(*at)).collect::<BTreeSet<_>>());
    let scan = PermissionSet(1 << 20).union(KNOWN);
    let day = End(u32::try_from(NOW.0).unwrap_or(0));
    let people = [
        (User, "ana", KNOWN, all.clone(), false, End::NEVER),
        (User, "bo", KNOWN, only(&[0]), false, End::NEVER),
        (User, "cy", KNOWN, only(&[]), false, End::NEVER),
        (SystemUser, "dee", KNOWN, all.clone(), false, End::NEVER),
        (User, "eli", KNOWN, all, true, End::NEVER),
        (ServiceUser, "MES sync", scan, only(&[0, 1]), false, End::NEVER),
        (ServiceUser, "old", KNOWN, only(&[0]), false, day),
    ];
    let (mut principals, mut tokens, mut texts) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (key, (kind, name, permissions, scope, disabled, end)) in (1_u32..).zip(people) {
        let id = Uuid([u8::try_from(key).unwrap_or(0); 16]);
        let name = name.to_owned();
        let no_iot_access = false;
        let one =
            PrincipalEntry { id, name, kind, disabled, no_iot_access, permissions, scope, end };
        principals.insert(key, one);
        for nth in 0..2 {
            let number = scatter(u64::from(2 * key + nth));
            let secret = secret(number);
            let verifier = Context::new(&ACCOUNT.0).verifier(number, &secret);
            let disabled = key == 1 && nth == 1;
            texts.push(token::write(kind.token_kind(), number, &secret).to_vec());
            tokens
                .insert(number, TokenEntry { principal: key, disabled, end: End::NEVER, verifier });
        }
    }
    let names = ["A", "B", "C"].map(str::to_owned);
    let contents = Contents {
        account: ACCOUNT,
        suspended: false,
        divisions: (0..).map(division).zip(names).collect(),
        principals,
        tokens,
        resources: [((1, Uuid([9; 16])), Some(division(0))), ((1, Uuid([10; 16])), None)].into(),
        ext: additions(),
    };

    (contents, texts)
}

/// One permission and one route, as the control plane writes them.
fn additions() -> Vec<u8> {
    let ops = Operations::default().with(Operation::Read).with(Operation::Write);
    let fresh = Operations::default().with(Operation::Write);
    let scan = PermissionRecord {
        bit: 20,
        id: "scan",
        ops: ops.0,
        fresh_ops: fresh.0,
        division_scoped: true,
    };
    // Id, methods, pattern, permissions, operation, credentials, division, fresh, the names for
    // records, and whether it is on.
    let route = ("net.scan", 4_u8, "/net/{division}/scan", "scan", Operation::Write as u8, 1_u8);
    let rest = (3_u8, true, "net", "scan", true);
    let written = postcard::to_allocvec(&(1_u16, scan, 1_u16, route, rest));

    written.expect("memory for two records")
}

/// Spreads numbers evenly, as drawing at random does (SplitMix64).
pub(crate) const fn scatter(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);

    z ^ (z >> 31)
}

fn secret(number: u64) -> Secret {
    let mut secret = [0; 32];
    for (place, n) in secret.chunks_exact_mut(8).zip(1..) {
        place.copy_from_slice(&scatter(number ^ n).to_be_bytes());
    }

    Secret(secret)
}
