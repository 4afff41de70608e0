//! No answer tells how much of a secret is right, or where in the table a token stands.

use gateward_core::principal::TokenKind;
use gateward_core::token::{self, Secret, Token};
use gateward_tests::{Deck, Gateway, PLANT_8, lookup};
use serde_json::{Value, json};

use super::{denials, forged, refusal, text_of, with_a_dead_token};

/// The answer to `key`, and what its one record says but when, of which token and of which device:
/// what asks the same within a second would be counted.
fn way(gateway: &Gateway, key: &str, device: usize) -> (String, Value) {
    let before = denials(gateway).len();
    let answer = refusal(gateway, key, &format!("/iot/api/v1/device/{device}"));
    let mut after = denials(gateway);
    assert_eq!(after.len(), before + 1, "{key}");
    let mut record = after.pop().unwrap_or_default();
    let fields = record.as_object_mut().expect("a record is an object");
    for own in ["seq", "decision_id", "created_at", "mono_ms", "credential_id", "path", "head"] {
        fields.remove(own);
    }

    (answer, record)
}

/// `key` with one bit of its secret flipped and the right checksum for that.
fn flipped(key: &str, byte: usize, bit: u8) -> String {
    let token = Token::read(key.as_bytes()).expect("a token of ours");
    let mut secret = Secret(token.secret().0);
    secret.0[byte] ^= bit;
    let text = token::write(TokenKind::Api, token.lookup.id, &secret);

    String::from_utf8(text.to_vec()).expect("a token is ASCII")
}

#[test]
fn j2_a_secret_wrong_in_its_first_byte_takes_the_way_of_one_wrong_in_its_last() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();

    let first = way(&gateway, &flipped(&ana, 0, 0x80), 0);
    let last = way(&gateway, &flipped(&ana, 31, 0x01), 1);

    assert_eq!(first.1["reason"], "bad_secret");
    assert_eq!(first, last);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
}

#[test]
fn j4_a_guess_at_the_first_token_of_the_table_takes_the_way_of_one_at_the_last() {
    let deck = Deck::new();
    let mut tokens = vec![deck.user("ana.ruiz", &["--role", "iot_account_admin"])];
    tokens.extend((0..4).map(|n| deck.user_token("ana.ruiz", &format!("line {n}"))));
    // The table is in the order of the ids, of which the public part is the text.
    let id = |key: &String| Token::read(key.as_bytes()).map(|token| token.lookup.id).ok();
    tokens.sort_by_key(id);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();

    let numbered = tokens.iter().enumerate();
    let ways: Vec<_> = numbered.map(|(at, key)| way(&gateway, &forged(key), at)).collect();

    assert!(ways.iter().all(|way| *way == ways[0]), "{ways:#?}");
    assert!(tokens.iter().all(|key| gateway.allows(key, "manage_device") == Some(true)));
    assert_ne!(lookup(&tokens[0]), lookup(&tokens[4]));
}

/// What comes of asking the same with one token's public part in a second: with a wrong checksum, with
/// wrong secrets, with the right one. The number of the decision is left out where it is the first's.
fn guesses(gateway: &Gateway, key: &str) -> (Vec<bool>, usize) {
    let mut mistyped = key.to_owned();
    mistyped.replace_range(65..66, if key.ends_with('A') { "B" } else { "A" });
    let wrong = flipped(key, 31, 0x01);
    let before = denials(gateway).len();
    let ask = |token: &str, permission: &str| {
        let question = json!({ "token": token, "permission": permission, "division": PLANT_8 });
        let answer = gateway.authorize(&question).json();
        assert_eq!(answer["allow"], false);
        answer["decision_id"].to_string()
    };
    let ids: Vec<_> = ["manage_device", "view_license"]
        .into_iter()
        .flat_map(|permission| [&mistyped, &wrong, &wrong, key, &wrong].map(|t| ask(t, permission)))
        .collect();
    let same_as_before = ids.windows(2).map(|pair| pair[0] == pair[1]).collect();

    (same_as_before, before)
}

#[test]
fn j3_who_guesses_at_a_dead_token_sees_as_many_records_as_who_guesses_at_none() {
    let deck = Deck::new();
    let (_good, off) = with_a_dead_token(&deck);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    let unknown = text_of(1, 1);
    // A second may end between two of ten requests; not in each of many runs.
    let counted = |key: &str, gateway: &mut Gateway| {
        gateway.start_ready();
        let (same, before) = guesses(gateway, key);
        assert!(gateway.stop().success());
        (same, denials(gateway).len() - before)
    };

    let seen = (0..20).any(|_| counted(&off, &mut gateway) == counted(&unknown, &mut gateway));
    assert!(seen, "ten requests to each, in a second of their own");
}
