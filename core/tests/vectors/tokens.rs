//! Texts of tokens: what is refused before anything is looked up, or weighed with the rest.

use gateward_core::principal::TokenKind;
use gateward_core::token::{self, Secret, TEXT_LEN};
use serde_json::json;

use crate::authority::ACCOUNT;
use crate::vector::{ACCEPTED, Kind, given, hex};

const ID: u64 = 0x0123_4567_89ab_cdef;

fn secret() -> Secret {
    Secret(core::array::from_fn(|at| u8::try_from(at).unwrap()))
}

fn text() -> [u8; TEXT_LEN] {
    token::write(TokenKind::Api, ID, &secret())
}

/// A token with any kind, whose checksum is right for it.
fn of_kind(kind: u8) -> Vec<u8> {
    let mut raw = vec![kind];
    raw.extend(ID.to_be_bytes());
    raw.extend(secret().0);
    raw.extend(token::crc32(&[b"gwd1.", &raw]).to_be_bytes());
    let coded: Vec<u8> = raw.chunks(3).flat_map(group).collect();

    [b"gwd1.", &coded[..12], b".", &coded[12..]].concat()
}

fn group(bytes: &[u8]) -> [u8; 4] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = bytes.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));

    [18, 12, 6, 0].map(|shift| ALPHABET[bits >> shift & 63])
}

fn with(at: usize, byte: u8) -> Vec<u8> {
    let mut text = text();
    text[at] = byte;
    text.to_vec()
}

/// A case of a kind: name, verdict, what it shows, and the bytes.
pub(crate) type Case<B> = (&'static str, &'static str, &'static str, B);

pub(crate) fn kind() -> Kind {
    let mut kind = Kind::new("tokens", "Section 2. `bytes` is the text as it arrived.");
    let given = given([("account", json!(hex(&ACCOUNT.0)))]);
    for (name, verdict, about, bytes) in accepted().into_iter().chain(refused()) {
        kind.add((name, verdict, about), &bytes, &given);
    }

    kind
}

fn accepted() -> Vec<Case<Vec<u8>>> {
    let service = token::write(TokenKind::Service, ID, &secret()).to_vec();
    let greatest = token::write(TokenKind::Api, u64::MAX, &Secret([0xff; 32])).to_vec();

    vec![
        ("api-token", ACCEPTED, "the example of the document", text().to_vec()),
        ("service-token", ACCEPTED, "the same id and secret, of the other kind", service),
        ("greatest-id-and-secret", ACCEPTED, "every bit is set", greatest),
        ("imported", ACCEPTED, "of another product", b"an-old-key-of-another-product-0001".into()),
        ("imported-of-22-bytes", ACCEPTED, "the shortest", b"0123456789abcdefghijkl".into()),
        ("imported-of-512-bytes", ACCEPTED, "the longest", vec![b'~'; 512]),
        ("imported-prefix-in-capitals", ACCEPTED, "only `gwd1.` is ours", {
            [b"GWD1.", &text()[5..]].concat()
        }),
    ]
}

fn refused() -> Vec<Case<Vec<u8>>> {
    const MALFORMED: &str = "malformed_token";
    const CHECKSUM: &str = "bad_checksum";
    let text = text();
    let flipped = |at: usize| with(at, if text[at] == b'A' { b'B' } else { b'A' });

    vec![
        ("empty", MALFORMED, "no text", Vec::new()),
        ("prefix-alone", MALFORMED, "nothing after the prefix", b"gwd1.".into()),
        ("one-byte-short", MALFORMED, "65 characters", text[..65].to_vec()),
        ("one-byte-long", MALFORMED, "67 characters", [&text[..], b"A"].concat()),
        ("no-second-dot", MALFORMED, "another character at its place", with(17, b'A')),
        ("padding-of-base64", MALFORMED, "`=` is outside the alphabet", with(65, b'=')),
        ("plus-of-the-other-alphabet", MALFORMED, "`+` for `-`", with(30, b'+')),
        ("space-inside", MALFORMED, "in the secret part", with(40, b' ')),
        ("high-bit-set", MALFORMED, "a byte past ASCII", with(20, text[20] | 0x80)),
        ("kind-0", MALFORMED, "no such kind; the checksum is right", of_kind(0)),
        ("kind-3", MALFORMED, "no such kind; the checksum is right", of_kind(3)),
        ("kind-255", MALFORMED, "no such kind; the checksum is right", of_kind(255)),
        ("id-altered", CHECKSUM, "one character of the look-up", flipped(16)),
        ("secret-altered", CHECKSUM, "one character of the secret", flipped(18)),
        ("checksum-altered", CHECKSUM, "the last character", flipped(65)),
        ("imported-of-21-bytes", MALFORMED, "too short", vec![b'x'; 21]),
        ("imported-of-513-bytes", MALFORMED, "too long", vec![b'x'; 513]),
        (
            "imported-with-a-space",
            MALFORMED,
            "not from 21 to 7e",
            b"0123456789abcdefghijk l".into(),
        ),
        ("imported-with-del", MALFORMED, "not from 21 to 7e", b"0123456789abcdefghijk\x7fl".into()),
        ("imported-past-ascii", MALFORMED, "not from 21 to 7e", "0123456789abcdefghijkß".into()),
    ]
}
