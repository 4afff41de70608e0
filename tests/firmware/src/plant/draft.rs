//! The contents of the snapshot, as they are put together.

use gateward_constant_time::Draw;
use gateward_core::name::Uuid;
use gateward_core::permission::PermissionSet;
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry};
use gateward_core::time::End;
use gateward_core::token::{self, Context, Token};

use super::TOKENS;
use super::cases::words;
use crate::authority::ACCOUNT;

/// Principals that no case is about.
const CROWD: u8 = 36;
const DIVISIONS: u8 = 12;
/// What most hold.
pub(super) const HELD: PermissionSet = PermissionSet(0x3f7ef);
/// When something ended.
pub(super) const PAST: End = End(1_700_000_000);

/// What there is so far.
pub(super) struct Draft {
    pub(super) draw: Draw,
    pub(super) contents: Contents,
    context: Context,
    next: u32,
}

impl Draft {
    pub(super) fn new() -> Self {
        let mut contents = Contents { account: ACCOUNT, ..Contents::default() };
        for n in 1..=DIVISIONS {
            contents.divisions.insert(division(n), format!("division {n}"));
            contents.resources.insert((1, Uuid([0x60 + n; 16])), Some(division(n)));
        }

        Self { draw: Draw::new(4), contents, context: Context::new(&ACCOUNT.0), next: 100 }
    }

    /// Adds a principal with one token, both changed by `but`; returns the text.
    pub(super) fn add(
        &mut self,
        name: &str,
        kind: PrincipalKind,
        but: impl FnOnce(&mut PrincipalEntry, &mut TokenEntry),
    ) -> Vec<u8> {
        let id = self.draw.next();

        self.add_id(name, kind, id, but)
    }

    pub(super) fn add_id(
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

    pub(super) fn add_text(
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

    /// Adds what no case is about.
    pub(super) fn fill(&mut self) {
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
    pub(super) fn change(&mut self, revoked: u64) -> Vec<u8> {
        let crowd = |token: &TokenEntry| token.principal < CROWD.into();
        let free: Vec<u64> = (self.contents.tokens.iter())
            .filter(|(_, token)| crowd(token))
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

pub(super) fn division(n: u8) -> Uuid {
    Uuid([n; 16])
}
