//! What is read as a token and what is not, and that no secret is shown.

extern crate std;

use std::format;
use std::string::String;
use std::vec::Vec;

use super::*;

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn text() -> [u8; TEXT_LEN] {
    write(TokenKind::Api, 0x0123_4567_89ab_cdef, &Secret([0xa5; 32]))
}

#[test]
fn what_is_written_is_read_again() {
    let text = text();
    let token = Token::read(&text).unwrap();

    assert!(token.is_well_formed() && !token.opaque);
    assert_eq!(token.lookup, Lookup { kind: 1, id: 0x0123_4567_89ab_cdef });
    assert_eq!(token.secret.0, [0xa5; 32]);
    assert_eq!(token.lookup.text(), text[5..17]);
    assert_eq!(Lookup::parse(&format!("{}", token.lookup)), Some(token.lookup));
}

#[test]
fn the_alphabet_is_that_of_rfc_4648_section_5() {
    for (value, expected) in (0..64).zip(ALPHABET) {
        assert_eq!(character(value), *expected);
    }
    for byte in 0..=255 {
        let place = ALPHABET.iter().position(|known| *known == byte);
        assert_eq!(sextet(byte), place.map_or(-1, |at| i32::try_from(at).unwrap()));
    }
}

#[test]
fn f7_f10_every_single_substitution_is_caught() {
    let good = text();
    for at in 0..good.len() {
        for byte in (0..=255).filter(|byte| *byte != good[at]) {
            let mut bad = good;
            bad[at] = byte;
            let caught = match Token::read(&bad) {
                Ok(token) => !token.is_well_formed() || token.opaque,
                Err(NotAToken) => true,
            };
            assert!(caught, "byte {at} as {byte}");
        }
    }
}

#[test]
fn every_swap_of_neighbours_within_a_part_is_caught() {
    let good = text();
    for at in (5..16).chain(18..65).filter(|at| good[*at] != good[*at + 1]) {
        let mut bad = good;
        bad.swap(at, at + 1);
        assert!(!Token::read(&bad).unwrap().is_well_formed());
    }
}

#[test]
fn f6_only_known_lengths_are_looked_at() {
    let good = text();
    let long = [&good[..], b"A"].concat();
    for wrong in [&good[..65], &long, b"", b"gwd1.", &[b'x'; 21], &[b'x'; 513]] {
        assert!(Token::read(wrong).is_err());
    }
    assert!(Token::read(&std::vec![b'x'; 8192]).is_err());
    assert!(Token::read(&std::vec![b'x'; 1 << 20]).is_err());
    assert!(Token::read(&[b'x'; 91]).unwrap().opaque);
}

#[test]
fn f11_control_characters_and_full_width_digits_are_malformed() {
    for inserted in ["\0", "\r\n", "\u{ff11}", "\u{80}", " "] {
        let text: String = format!("{}{inserted}{}", "x".repeat(40), "y".repeat(20));
        assert!(!Token::read(text.as_bytes()).unwrap().is_well_formed());
    }
}

#[test]
fn every_truncation_is_an_error() {
    let good = text();
    for len in 0..good.len() {
        assert!(Token::read(&good[..len]).is_err());
    }
}

#[test]
fn n9_a_secret_is_not_shown() {
    let token = Token::read(&text()).unwrap();
    let shown = format!("{token:?} {:?} {:?}", token.secret(), Context::new(&[1; 16]));

    assert!(shown.contains("AQEjRWeJq83v"), "{shown}");
    assert!(!shown.contains("165") && !shown.contains("a5"), "{shown}");
}

#[test]
fn a_verifier_belongs_to_one_account_and_one_id() {
    let secret = Secret([7; 32]);
    let one = Context::new(&[1; 16]);

    let all: Vec<_> = [
        one.verifier(1, &secret),
        one.verifier(2, &secret),
        Context::new(&[2; 16]).verifier(1, &secret),
    ]
    .into();
    assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2]);
}

#[test]
fn the_checksum_is_ieee_802_3() {
    assert_eq!(crc32(&[b"1234", b"56789"]), 0xcbf4_3926);
}
