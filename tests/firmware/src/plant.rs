//! A plant's snapshot: 1,000 tokens of some forty principals, and one token for every outcome.
//!
//! All cases but those that say otherwise put the same question at the same time: what comes of it
//! hangs on the token alone, so that a machine without a cache must take as many instructions for
//! each (see `counted`).
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a class that is not named is made like one that is allowed"
)]

use std::collections::BTreeSet;

use gateward_constant_time::{Class, Draw};
use gateward_core::decide::{Mode, Reason};
use gateward_core::division::DivisionRules;
use gateward_core::name::Uuid;
use gateward_core::permission::{Entry, Operation, PermissionSet};
use gateward_core::principal::{PrincipalKind, TokenKind};
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry};
use gateward_core::time::End;
use gateward_core::token::{self, Context, Secret, Token};

use crate::authority::{ACCOUNT, DAY, T0};
use crate::question::Question;

/// Tokens of the snapshot.
pub const TOKENS: usize = 1_000;
/// Principals that no case is about.
const CROWD: u8 = 36;
const DIVISIONS: u8 = 12;
/// The time of most cases.
pub const NOW: u64 = T0 + 3_600;
const HELD: PermissionSet = PermissionSet(0x3f7ef);
const PAST: End = End(1_700_000_000);
/// A token that another product made.
const OPAQUE: &str = "DGC1-7f3a0c55b8e94d21a6f0e3b2c4d58697";

/// A question and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is about.
    pub name: String,
    /// The question.
    pub question: Question,
    /// What must come of it.
    pub reason: Reason,
    /// Whether it takes as many instructions as every other such case.
    pub counted: bool,
}

/// The contents of both versions, and the tokens.
#[derive(Debug)]
pub struct Plant {
    /// Version 1.
    pub first: Contents,
    /// Version 2, in which the records of some have changed.
    pub second: Contents,
    /// A token for every outcome, once the first revocation list was taken.
    pub cases: Vec<Case>,
    /// On the first revocation list.
    pub revoked_token: u64,
    /// On the first revocation list.
    pub revoked_principal: u32,
    /// On the second revocation list and not on the first.
    pub revoked_later: Vec<u8>,
    /// Only in version 2.
    pub new: Vec<u8>,
}

impl Plant {
    /// Draws it: the same every time.
    #[must_use]
    pub fn draw() -> Self {
        let mut draft = Draft::new();
        let mut cases: Vec<Case> = Class::ALL.into_iter().map(|class| draft.case(class)).collect();
        let (revoked_token, revoked_principal) = draft.revoked(&cases);
        cases.extend(draft.further_cases());
        let revoked_later = draft.add("later", PrincipalKind::User, |_, _| {});
        draft.fill();
        let first = draft.contents.clone();
        let new = draft.change(revoked_token, &cases);

        Self {
            first,
            second: draft.contents,
            cases,
            revoked_token,
            revoked_principal,
            revoked_later,
            new,
        }
    }
}

struct Draft {
    draw: Draw,
    contents: Contents,
    context: Context,
    next: u32,
}

impl Draft {
    fn new() -> Self {
        let mut contents = Contents { account: ACCOUNT, ..Contents::default() };
        for n in 1..=DIVISIONS {
            contents.divisions.insert(division(n), format!("division {n}"));
            contents.resources.insert((1, Uuid([0x60 + n; 16])), Some(division(n)));
        }

        Self { draw: Draw::new(4), contents, context: Context::new(&ACCOUNT.0), next: 100 }
    }

    /// Adds a principal with one token, both changed by `but`; returns the text.
    fn add(
        &mut self,
        name: &str,
        kind: PrincipalKind,
        but: impl FnOnce(&mut PrincipalEntry, &mut TokenEntry),
    ) -> Vec<u8> {
        let id = self.draw.next();

        self.add_id(name, kind, id, but)
    }

    fn add_id(
        &mut self,
        name: &str,
        kind: PrincipalKind,
        id: u64,
        but: impl FnOnce(&mut PrincipalEntry, &mut TokenEntry),
    ) -> Vec<u8> {
        let text = token::write(kind.token_kind(), id, &self.draw.secret()).to_vec();
        self.add_text(name, kind, &text, but);

        text
    }

    fn add_text(
        &mut self,
        name: &str,
        kind: PrincipalKind,
        text: &[u8],
        but: impl FnOnce(&mut PrincipalEntry, &mut TokenEntry),
    ) {
        self.next += 1;
        let mut owner = principal(self.next, name, kind);
        let read = Token::read(text).expect("it was just written");
        let verifier = self.context.verifier(read.lookup.id, read.secret());
        let mut token =
            TokenEntry { principal: self.next, disabled: false, end: End::NEVER, verifier };
        but(&mut owner, &mut token);
        self.contents.principals.insert(self.next, owner);
        self.contents.tokens.insert(read.lookup.id, token);
    }

    fn case(&mut self, class: Class) -> Case {
        let kind =
            if class == Class::Barred { PrincipalKind::SystemUser } else { PrincipalKind::User };
        let id = match class {
            Class::AllowedFirstRow => 1,
            Class::AllowedLastRow => u64::MAX - 1,
            _ => self.draw.next(),
        };
        let text = self.add_id(&format!("{class:?}"), kind, id, |owner, token| match class {
            Class::VerifierFirst => token.verifier[0] ^= 1,
            Class::VerifierLast => token.verifier[31] ^= 1,
            Class::TokenDisabled => token.disabled = true,
            Class::TokenExpired => token.end = PAST,
            Class::OwnerDisabled => owner.disabled = true,
            Class::OwnerExpired => owner.end = PAST,
            Class::NoIotAccess => owner.no_iot_access = true,
            Class::NoPermission => owner.permissions = PermissionSet(HELD.0 & !asked().0),
            Class::OutOfScope => owner.scope = Scope::Only([division(1)].into()),
            _ => {}
        });
        let now = if class == Class::Stale { T0 + DAY } else { NOW };
        let question = Question { now, ..ask(&presented(class, &text)) };
        let name = words(&format!("{class:?}"));

        Case { name, question, reason: class.reason(), counted: true }
    }

    fn revoked(&self, cases: &[Case]) -> (u64, u32) {
        let id = |class: Class| {
            let text = &cases[class.index()].question.token;
            Token::read(text).expect("it was just written").lookup.id
        };

        (id(Class::TokenRevoked), self.contents.tokens[&id(Class::OwnerRevoked)].principal)
    }

    /// Cases with a question, a time or a length of their own.
    fn further_cases(&mut self) -> Vec<Case> {
        let user = self.add("further", PrincipalKind::User, |_, _| {});
        let service = self.add("robot", PrincipalKind::ServiceUser, |_, _| {});
        let system = self.add("system", PrincipalKind::SystemUser, |_, _| {});
        let everywhere =
            self.add("everywhere", PrincipalKind::User, |owner, _| owner.scope = Scope::All);
        self.add_text("import", PrincipalKind::User, OPAQUE.as_bytes(), |_, _| {});
        let mut other = OPAQUE.as_bytes().to_vec();
        other[10] ^= 1;
        let user = ask(&user);
        let nowhere = Question { division: None, ..user.clone() };
        let elsewhere = Question { division: Some("elsewhere".to_owned()), ..user.clone() };
        let late = Question { now: T0 + 7 * DAY, ..user.clone() };
        let unknown = Question {
            permissions: PermissionSet(1 << 40),
            ids: vec!["unknown".to_owned()],
            ..user
        };
        let open = Question { division: None, ..ask(&everywhere) };
        let device =
            Question { operation: Some(Operation::Write), ..about("manage_device", &system) };

        vec![
            Case { counted: true, ..case("allowed service user", ask(&service), Reason::Ok) },
            Case { counted: true, ..case("snapshot expired", late, Reason::SnapshotExpired) },
            case("division unspecified", nowhere, Reason::DivisionUnspecified),
            case("division unknown", elsewhere, Reason::DivisionDenied),
            case("permission unknown", unknown, Reason::PermissionMissing),
            case("allowed everywhere", open, Reason::Ok),
            case("allowed system user that changes a device", device, Reason::Ok),
            case("allowed import", ask(OPAQUE.as_bytes()), Reason::Ok),
            case("import unknown", ask(&other), Reason::UnknownToken),
        ]
    }

    /// Adds what no case is about.
    fn fill(&mut self) {
        let kinds = [PrincipalKind::User, PrincipalKind::SystemUser, PrincipalKind::ServiceUser];
        for n in 0..CROWD {
            let kind = kinds[usize::from(n % 3)];
            let own = (1..=DIVISIONS).filter(|at| at % (n % 5 + 1) == 0).map(division);
            let entry = PrincipalEntry {
                permissions: PermissionSet(HELD.0 >> (n % 4)),
                scope: Scope::Only(own.collect()),
                ..principal(u32::from(n), &format!("principal {n}"), kind)
            };
            self.contents.principals.insert(n.into(), entry);
        }
        while self.contents.tokens.len() < TOKENS {
            let (id, secret) = (self.draw.next(), self.draw.secret());
            let principal = self.draw.below(usize::from(CROWD)).try_into().expect("it is small");
            let verifier = self.context.verifier(id, &secret);
            let token = TokenEntry { principal, disabled: false, end: End::NEVER, verifier };
            self.contents.tokens.insert(id, token);
        }
    }

    /// Makes version 2: some tokens go, some come, others change; returns one that comes. Every case
    /// ends as before but for the one whose token is gone.
    fn change(&mut self, revoked: u64, cases: &[Case]) -> Vec<u8> {
        let named: BTreeSet<u64> = cases
            .iter()
            .filter_map(|case| Token::read(&case.question.token).ok())
            .map(|token| token.lookup.id)
            .collect();
        let crowd = |token: &TokenEntry| token.principal < CROWD.into();
        let free: Vec<u64> = (self.contents.tokens.iter())
            .filter(|(id, token)| crowd(token) && !named.contains(id))
            .map(|(id, _)| *id)
            .collect();
        for (at, id) in free.iter().enumerate() {
            match at % 97 {
                0 => drop(self.contents.tokens.remove(id)),
                1 => self.contents.tokens.get_mut(id).expect("it is there").disabled = true,
                2 => self.contents.tokens.get_mut(id).expect("it is there").end = PAST,
                _ => {}
            }
        }
        self.contents.tokens.remove(&revoked);
        if let Some(owner) = self.contents.principals.get_mut(&3) {
            owner.disabled = true;
        }

        self.add("new", PrincipalKind::User, |_, _| {})
    }
}

/// What most cases ask for: division and freshness count for it, and system users may not do it.
const ASKED: &str = "manage_iot_ca";

fn asked() -> PermissionSet {
    Entry::named(ASKED).expect("it is built in").permission.set()
}

fn ask(token: &[u8]) -> Question {
    Question { operation: Some(Operation::IssueCa), ..about(ASKED, token) }
}

fn about(permission: &str, token: &[u8]) -> Question {
    Question {
        token: token.to_vec(),
        permissions: Entry::named(permission).expect("it is built in").permission.set(),
        ids: vec![permission.to_owned()],
        operation: None,
        division: Some("division 2".to_owned()),
        mode: Mode::Direct,
        rules: DivisionRules::default(),
        now: NOW,
    }
}

fn case(name: &str, question: Question, reason: Reason) -> Case {
    Case { name: name.to_owned(), question, reason, counted: false }
}

/// The text as somebody presents it in this class.
fn presented(class: Class, text: &[u8]) -> Vec<u8> {
    let read = Token::read(text).expect("it was just written");
    let (id, mut secret) = (read.lookup.id, Secret(read.secret().0));
    match class {
        Class::SecretFirst => secret.0[0] ^= 1,
        Class::SecretLast => secret.0[31] ^= 1,
        _ => {}
    }
    let kind = if class == Class::OtherKind { TokenKind::Service } else { TokenKind::Api };
    let id = match class {
        Class::UnknownLow => 0,
        Class::UnknownNear => id - 1,
        Class::UnknownHigh => u64::MAX,
        _ => id,
    };
    let mut text = token::write(kind, id, &secret).to_vec();
    match class {
        Class::Malformed => text[40] = b'!',
        Class::BadChecksum => text[65] = if text[65] == b'A' { b'B' } else { b'A' },
        _ => {}
    }

    text
}

fn principal(key: u32, name: &str, kind: PrincipalKind) -> PrincipalEntry {
    let mut id = [0x70; 16];
    id[..4].copy_from_slice(&key.to_be_bytes());

    PrincipalEntry {
        id: Uuid(id),
        name: words(name),
        kind,
        disabled: false,
        no_iot_access: false,
        permissions: HELD,
        scope: Scope::Only([division(2), division(5)].into()),
        end: End::NEVER,
    }
}

fn division(n: u8) -> Uuid {
    Uuid([n; 16])
}

/// `UnknownLow` as `unknown low`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for (at, c) in name.chars().enumerate() {
        if c.is_uppercase() && at > 0 {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }

    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Agent;
    use crate::answer::Answer;
    use crate::firmware::Firmware;
    use crate::fixtures;

    #[test]
    fn every_case_ends_on_both_sides_as_it_says() {
        let plant = Plant::draw();
        let given = fixtures::given(&fixtures::files(&plant));
        let (agent, firmware) = (Agent::open(&given).unwrap(), Firmware::open(&given).unwrap());
        let view = agent.view();
        for Case { name, question, reason, .. } in &plant.cases {
            let expected = agent.answer(&view, question);
            let Answer::Decided { reason: number, .. } = expected else { panic!("{name}") };
            assert_eq!(number, *reason as u32, "{name}");
            assert_eq!(firmware.answer(&view, question), expected, "{name}");
            assert_eq!(firmware.answer_text(&view, question), expected, "{name}");
        }
    }

    #[test]
    fn cases_that_are_counted_differ_in_the_token_and_the_time_alone() {
        let plant = Plant::draw();
        let alike = |case: &Case| {
            let Question { permissions, operation, division, token, .. } = &case.question;
            (*permissions, *operation, division.clone(), token.len())
        };
        let counted: Vec<_> = plant.cases.iter().filter(|case| case.counted).map(alike).collect();

        assert!(counted.len() > Class::ALL.len());
        assert!(counted.windows(2).all(|two| two[0] == two[1]));
        assert_eq!(plant.first.tokens.len(), TOKENS);
    }
}
