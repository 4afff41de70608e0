//! The text of a token.

use gateward_core::decide::{Ask, Mode, decide};
use gateward_core::division::DivisionRules;
use gateward_core::principal::TokenKind;
use gateward_core::token::{self, Lookup, NotAToken, OPAQUE_LEN, PREFIX, Secret, Token};

use crate::fixture::fixture;
use crate::{Input, cast, heap, is_a_message};

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.way(3) {
        0 => arrived(input.rest()),
        1 => written(input),
        _ => changed(input),
    }
}

/// A text as somebody sends it.
fn arrived(text: &[u8]) {
    if let Some(lookup) = core::str::from_utf8(text).ok().and_then(Lookup::parse) {
        assert_eq!(lookup.text(), text, "a second spelling of a public part");
    }
    match heap::within(0, || Token::read(text)) {
        Ok(token) => accepted(text, &token),
        Err(NotAToken) => {
            assert!(!OPAQUE_LEN.contains(&text.len()) || text.starts_with(PREFIX));
            is_a_message(&NotAToken.to_string());
        }
    }
    decided(text);
}

fn accepted(text: &[u8], token: &Token) {
    if !text.starts_with(PREFIX) {
        assert!(OPAQUE_LEN.contains(&text.len()) && token.lookup.kind == 0);
        return;
    }
    assert_eq!(text.len(), token::TEXT_LEN);
    let kind = match token.lookup.kind {
        1 => TokenKind::Api,
        2 => TokenKind::Service,
        _ => return,
    };
    let written = token::write(kind, token.lookup.id, token.secret());
    assert_eq!(token.is_well_formed(), written == text, "a second spelling of a token");
}

/// Whoever is let in has a token of the snapshot, to the letter.
fn decided(text: &[u8]) {
    let Ok(token) = Token::read(text) else { return };
    let fixture = fixture();
    let view = fixture.view();
    let ids = ["manage_device", "view_license"].into_iter();
    let ask = Ask::of_permissions(&view, ids, None, Some("A"), Mode::Direct);
    let rules = DivisionRules::default();
    let decision = heap::within(0, || decide(&view, &ask, &token, cast::NOW, rules));
    let known = fixture.tokens().iter().any(|known| known == text);

    assert!(known || (!decision.is_allowed() && decision.principal.is_none()), "a forged token");
}

/// A token of ours, whatever its number and its secret.
fn written(mut input: Input<'_>) {
    let kind = if input.byte() & 1 == 0 { TokenKind::Api } else { TokenKind::Service };
    let (id, secret) = (input.u64(), Secret(input.array()));
    let text = token::write(kind, id, &secret);
    let token = Token::read(&text).expect("what is written is read");

    assert!(token.is_well_formed() && token.lookup == Lookup { kind: kind as u8, id });
    assert_eq!(token.secret().0, secret.0);
    arrived(&text);
    let (at, byte) = (usize::from(input.byte()) % text.len(), input.byte());
    let mut bad = text;
    bad.iter_mut().skip(at).take(1).for_each(|place| *place = byte);
    let caught = Token::read(&bad).map_or(true, |read| !read.is_well_formed());
    assert!(caught || bad == text || !bad.starts_with(PREFIX), "a slip of the pen is not seen");
}

/// A token that is in the snapshot, with a few characters exchanged.
fn changed(mut input: Input<'_>) {
    let texts = fixture().tokens();
    let at = usize::from(input.byte()) % texts.len();
    let mut text = texts.get(at).cloned().unwrap_or_default();
    while !input.is_over() {
        let (at, byte) = (usize::from(input.byte()) % text.len(), input.byte());
        text.iter_mut().skip(at).take(1).for_each(|place| *place = byte);
    }
    arrived(&text);
}
