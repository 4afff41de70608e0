//! What arrives on the topic `manifest`.

use gateward_core::trust::sign::message;

use crate::authority::Bytes;
use crate::vector::{ACCEPTED, Kind, given};

pub(crate) fn kind() -> Kind {
    let mut kind = Kind::new("messages", "Section 6.6. Nothing in a message is verified yet.");
    let deltas: Vec<(u64, &[u8])> = vec![(5, &[1, 2, 3]), (6, &[])];
    let whole = message(b"envelope", &deltas).unwrap();
    let five: Vec<_> = (0..5).map(|from| (from, &[][..])).collect();
    let five = five.iter().fold(Bytes::default().bytes(b"envelope").v(5), |all, (from, bytes)| {
        all.v(*from).bytes(bytes)
    });
    let overlong = [&[0x88, 0], &whole[1..]].concat();
    let none = given([]);

    for (name, verdict, about, bytes) in [
        ("with-deltas", ACCEPTED, "from versions 5 and 6", whole.clone()),
        ("without-deltas", ACCEPTED, "an empty list", message(b"envelope", &[]).unwrap()),
        ("empty", "malformed", "no bytes", Vec::new()),
        ("cut-short", "malformed", "in the last delta", whole[..whole.len() - 1].to_vec()),
        ("trailing-byte", "malformed", "after the deltas", [&whole[..], &[0]].concat()),
        ("overlong-varint", "malformed", "the length of the envelope", overlong),
        ("five-deltas", "malformed", "at most 4", five.0),
        ("delta-of-4-gib", "malformed", "a length past the end", {
            Bytes::default().bytes(b"envelope").v(1).v(5).v(0xffff_ffff).u8(0).0
        }),
    ] {
        kind.add((name, verdict, about), &bytes, &none);
    }
    kind.add(("longer-than-any", "too_long", "1 MiB and a byte"), &whole, &none)
        .pad_to((1 << 20) + 1);
    let head = Bytes::default().v(65_537).0;
    // The last zero is the number of deltas.
    let about = "an envelope of 65,537 bytes, and no deltas";
    kind.add(("envelope-too-long", "too_long", about), &head, &none).pad_to(head.len() + 65_538);

    kind
}
