//! A revocation list: who is on it is let in no more, and nobody else is touched.

use std::collections::BTreeSet;

use gateward_core::decide::{Ask, Mode, Reason, decide};
use gateward_core::division::DivisionRules;
use gateward_core::snapshot::Revocation;
use gateward_core::time::UnixSeconds;
use gateward_core::token::Token;
use gateward_core::trust::sign::RevokedDraft;
use gateward_core::trust::{Admission, Floor, Kind, Revoked, Version};

use crate::cast::{self, ACCOUNT, NOW, SNAPSHOT, audience, framed, key, keys, payload, seal};
use crate::fixture::fixture;
use crate::{Input, heap};

/// The most entries of one list (TRUST section 2).
const MOST: usize = 4_096;

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.way(3) {
        0 => verified(input.rest()),
        1 => verified(&seal(Kind::Revoked, &framed(input.rest()), &[SNAPSHOT])),
        _ => drafted(input),
    }
}

/// What is accepted is what would be written, and is resolved to the last entry.
fn verified(envelope: &[u8]) {
    let keys = keys();
    let list = match heap::within(0, || Revoked::verify(envelope, keys, audience())) {
        Ok(list) => list,
        Err(why) => return cast::refused(why),
    };
    let (tokens, principals): (BTreeSet<_>, BTreeSet<_>) =
        (list.tokens().collect(), list.principals().collect());
    assert!(tokens.len() == list.tokens().len() && principals.len() == list.principals().len());
    assert!(tokens.len() + principals.len() <= MOST);
    let draft = RevokedDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: list.number().epoch,
        counter: list.number().number,
        base_version: list.base().number,
        issued_at: list.issued_at(),
        tokens: tokens.clone(),
        principals: principals.clone(),
    };
    let again = draft.sign(&[key(SNAPSHOT)]).expect("no more than it had");
    assert_eq!(payload(envelope), payload(&again), "a second spelling of a list");
    admitted(&list);
    resolved(&list, &tokens, &principals);
}

fn admitted(list: &Revoked<'_>) {
    let floor = Floor { keys: 1, ..Floor::default() };
    match floor.admit_revoked(Version::default(), list) {
        Ok(_) => {
            let next = floor.with_revoked(list.number(), list.base());
            assert_eq!(next.admit_revoked(list.number(), list), Ok(Admission::Same));
            assert_eq!(next.lacks_list(list.number()), None);
            assert!(next.revoked >= list.number() && next.signed == floor.signed);
        }
        Err(why) => cast::refused(why),
    }
}

/// The bits say what the list says: compared for every token of the fixture with and without it.
fn resolved(list: &Revoked<'_>, tokens: &BTreeSet<u64>, principals: &BTreeSet<u32>) {
    let plain = fixture().view();
    let room = plain.revocation_room();
    let (rows, people) = (vec![0; room.rows], vec![0; room.principals]);
    let mut bits = Revocation::none(&plain, rows, people).expect("the room it asks for");
    heap::within(0, || {
        list.tokens().for_each(|id| bits.revoke_token(&plain, id));
        list.principals().for_each(|key| bits.revoke_principal(&plain, key));
    });
    let view = plain.with_revocation(bits.bits());
    let ask =
        Ask::of_permissions(&view, ["manage_device"].into_iter(), None, Some("A"), Mode::Direct);
    for text in fixture().tokens() {
        let token = Token::read(text).expect("a token of ours");
        let rules = DivisionRules::default();
        let before = decide(&plain, &ask, &token, NOW, rules);
        let after = decide(&view, &ask, &token, NOW, rules);
        let row = plain.tokens().find(|row| row.id == token.lookup.id).expect("a row of ours");
        let owner = plain.principal(row.owner).expect("an owner");
        if tokens.contains(&row.id) || principals.contains(&owner.key()) {
            assert_eq!(after.reason, Reason::Revoked, "a revoked token");
        } else {
            assert_eq!(after.reason, before.reason, "somebody who is not on the list");
        }
    }
}

/// Any entries at all, of the fixture and others.
fn drafted(mut input: Input<'_>) {
    let known: Vec<_> = fixture().view().tokens().map(|row| row.id).collect();
    let [tokens, principals] = input.array();
    let draft = RevokedDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: u32::from(input.byte() % 3),
        counter: input.u64(),
        base_version: input.u64(),
        issued_at: UnixSeconds(NOW.0 + u64::from(input.u32())),
        tokens: (0..tokens % 32)
            .map(|_| match input.byte() {
                at @ 0..128 => known.get(usize::from(at) % known.len()).copied().unwrap_or(0),
                _ => input.u64(),
            })
            .collect(),
        principals: (0..principals % 32).map(|_| u32::from(input.byte())).collect(),
    };
    let signers: Vec<_> = (0..input.byte() % 4).map(|_| key(usize::from(input.byte()))).collect();
    let envelope = draft.sign(&signers).expect("62 entries are not too many");

    verified(&envelope);
}
