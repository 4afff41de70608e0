//! Audit records, and chains of them as an upload holds them.

use gateward_core::audit::{
    Authentication, Credential, Event, Head, MAX_RECORD, Method, Outcome, Ratchet, Record,
    SnapshotName, Source, UnixMillis, Who,
};
use gateward_core::decide::Reason;
use gateward_core::permission::{Operation, Permission};
use gateward_core::time::{Millis, TimeQuality};
use gateward_core::token::Lookup;
use serde_json::json;

use crate::authority::T0;
use crate::snapshots::id;
use crate::tokens::Case;
use crate::vector::{ACCEPTED, Kind, given, hex};

const K1: [u8; 32] = [9; 32];

fn full() -> Record<'static> {
    Record {
        seq: 1,
        boot: 1,
        created_at: UnixMillis(T0 * 1000 + 123),
        mono: Millis(4_200),
        quality: TimeQuality::Synced,
        authentication: Authentication::ApiToken,
        principal: Some(Who { id: id(0x33), name: "ana.ruiz" }),
        credential: Credential::Verified(Lookup { kind: 1, id: 0x0123_4567_89ab_cdef }),
        action: Some("certificate/renew"),
        operation: Some(Operation::Issue),
        permission: Permission::new(10),
        division: Some(id(0x22)),
        resource: Some("certificate/77"),
        method: Some(Method::Put),
        path: Some("/iot/api/v1/certificate/77/renew"),
        snapshot_version: 7,
        source: Source::V4([192, 0, 2, 7]),
        request_id: Some("r-1"),
        route: Some(4),
        ..Record::new(Outcome::Allow(Reason::Ok))
    }
}

fn denied() -> Record<'static> {
    let mut source = [0; 16];
    source[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);

    Record {
        seq: 2,
        quality: TimeQuality::Floor,
        credential: Credential::Unverified(Lookup { kind: 2, id: 1 }),
        stale: true,
        source: Source::V6(source),
        count: 12,
        dropped_before: 300,
        ..Record::new(Outcome::Deny(Reason::UnknownToken))
    }
}

fn event() -> Record<'static> {
    Record {
        seq: 3,
        snapshot: Some(SnapshotName { epoch: 1, number: 8, root: [0xcc; 32] }),
        span: Some((4, u64::MAX)),
        resource: Some("10 s"),
        snapshot_version: 8,
        ..Record::new(Outcome::Event(Event::SnapshotInForce))
    }
}

fn encode(record: &Record<'_>) -> Vec<u8> {
    let mut buffer = [0; MAX_RECORD];
    let len = record.encode(&mut buffer).unwrap();

    buffer[..len].to_vec()
}

pub(crate) fn records() -> Kind {
    let mut kind = Kind::new("audit-records", "Section 8. `bytes` is one record.");
    for (name, verdict, about, bytes) in accepted().into_iter().chain(refused()) {
        kind.add((name, verdict, about), &bytes, &given([]));
    }

    kind
}

fn accepted() -> Vec<Case<Vec<u8>>> {
    let service = |kind: u8| Record {
        authentication: Authentication::ServiceUser,
        credential: Credential::Verified(Lookup { kind, id: 5 }),
        ..full()
    };
    let certificate = Record {
        authentication: Authentication::ClientCert,
        credential: Credential::Certificate([0xce; 16]),
        source: Source::Uid(33),
        ..full()
    };
    let device = Record {
        authentication: Authentication::Device,
        method: Some(Method::Other),
        quality: TimeQuality::Unknown,
        ..Record::new(Outcome::Passthrough(Reason::PassthroughDevice))
    };

    vec![
        ("allow", ACCEPTED, "every field of a request", encode(&full())),
        ("deny", ACCEPTED, "unverified, coalesced, after a loss", encode(&denied())),
        ("event", ACCEPTED, "names a snapshot and a span", encode(&event())),
        ("service-token", ACCEPTED, "the kind goes without saying", encode(&service(2))),
        ("imported-token", ACCEPTED, "the kind is said", encode(&service(0))),
        ("client-certificate", ACCEPTED, "by its thumbprint", encode(&certificate)),
        ("pass-through", ACCEPTED, "a device credential", encode(&device)),
        ("nothing-but-the-number", ACCEPTED, "of a denial", {
            encode(&Record::new(Outcome::Deny(Reason::RouteUnknown)))
        }),
    ]
}

fn refused() -> Vec<Case<Vec<u8>>> {
    const BAD: &str = "bad_record";
    const LONG: &str = "record_too_long";
    let plain = encode(&Record::new(Outcome::Deny(Reason::RouteUnknown)));
    // present u16, seq, boot, mono, created_at, codes, why, verb, version.
    let (codes, why, verb) = (11, 12, 13);
    let with = |at: usize, byte: u8| {
        let mut bytes = plain.clone();
        bytes[at] = byte;
        bytes
    };
    let field = |bits: u16, value: &[u8]| [&bits.to_le_bytes(), &plain[2..], value].concat();
    let good = encode(&full());
    let text = |bit: u16, len: usize| {
        let head = if len < 0x80 {
            vec![len.to_le_bytes()[0]]
        } else {
            vec![len.to_le_bytes()[0] | 0x80, (len >> 7).to_le_bytes()[0]]
        };
        field(1 << bit, &[&head[..], &vec![b'x'; len]].concat())
    };

    vec![
        ("empty", BAD, "", Vec::new()),
        ("cut-short", BAD, "", good[..good.len() - 1].to_vec()),
        ("trailing-byte", BAD, "", [&good[..], &[0]].concat()),
        ("overlong-varint", BAD, "seq", [&plain[..2], &[0x80], &plain[2..]].concat()),
        ("number-past-64-bits", BAD, "seq", {
            [&plain[..2], &[0xff; 9], &[2], &plain[3..]].concat()
        }),
        ("authentication-5", BAD, "no such code", with(codes, 1 << 3 | 5)),
        ("reason-34", BAD, "no such code", with(why, 34)),
        ("event-past-the-list", BAD, "no such code", {
            let mut bytes = with(why, 0xff);
            bytes[codes] = 3 << 3;
            bytes
        }),
        ("method-10", BAD, "no such code", with(verb, 10 << 3)),
        ("verified-by-nothing", BAD, "credential 1 without a kind", field(1 << 1, &[0; 8])),
        ("unknown-tag-of-a-credential", BAD, "2", field(3 << 1, &[2; 17])),
        ("kind-said-without-need", BAD, "a second spelling", {
            let mut bytes = field(3 << 1, &[1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
            bytes[codes] |= 1;
            bytes
        }),
        ("permission-64", BAD, "past the set", field(1 << 4, &[64])),
        ("count-1-said", BAD, "a second spelling", field(1 << 12, &[1])),
        ("dropped-0-said", BAD, "a second spelling", field(1 << 13, &[0])),
        ("route-past-16-bits", BAD, "65,536", field(1 << 11, &[0x80, 0x80, 4])),
        ("action-not-utf-8", BAD, "a stray byte", field(1 << 3, &[1, 0xff])),
        ("action-of-33-bytes", LONG, "at most 32", text(3, 33)),
        ("resource-of-65-bytes", LONG, "at most 64", text(6, 65)),
        ("path-of-257-bytes", LONG, "at most 256", text(7, 257)),
        ("request-id-of-33-bytes", LONG, "at most 32", text(10, 33)),
        (
            "record-of-769-bytes",
            LONG,
            "at most 768",
            [&plain[..], &[0; 769]].concat()[..769].to_vec(),
        ),
    ]
}

/// Records as an upload holds them, with their tags, and the head after the last.
struct Chain {
    bytes: Vec<u8>,
    head: Head,
    ratchet: Ratchet,
}

impl Chain {
    fn new() -> Self {
        Self { bytes: Vec::new(), head: Head::START, ratchet: Ratchet::new(K1) }
    }

    fn of(records: &[Record<'_>]) -> Self {
        records.iter().fold(Self::new(), |chain, record| chain.then(&encode(record)))
    }

    fn then(mut self, record: &[u8]) -> Self {
        self.head = self.head.next(record);
        self.bytes.extend(u16::try_from(record.len()).unwrap().to_le_bytes());
        self.bytes.extend(record);
        self.bytes.extend(self.ratchet.tag(&self.head));
        self.ratchet.step();
        self
    }
}

pub(crate) fn chains() -> Kind {
    let about = "Sections 9 and 10. `bytes` is records before compression, from number `first` on; \
                 `head` is what a checkpoint claims, `key` the ratchet before the first record.";
    let mut kind = Kind::new("audit-chains", about);
    let all = [full(), denied(), event()];
    let Chain { bytes, head, ratchet } = Chain::of(&all);
    let given = |first: u64, before: &Head, head: &Head, key: &[u8; 32]| {
        given([
            ("before", json!(hex(&before.0))),
            ("first", json!(first)),
            ("head", json!(hex(&head.0))),
            ("key", json!(hex(key))),
        ])
    };
    let whole = given(1, &Head::START, &head, &K1);
    kind.add(("three-records", ACCEPTED, ""), &bytes, &whole);
    let mut public = whole.clone();
    public.remove("key");
    kind.add(("without-the-key", ACCEPTED, "anybody can follow heads"), &bytes, &public);
    let start = Chain::of(&all[..1]);
    let rest = &bytes[start.bytes.len()..];
    let later = given(2, &start.head, &head, start.ratchet.expose());
    kind.add(("from-the-second-record-on", ACCEPTED, ""), rest, &later);
    kind.add(("no-record", ACCEPTED, ""), &[], &given(4, &head, &head, ratchet.expose()));

    for (name, verdict, about, bytes) in broken(&all, &bytes) {
        kind.add((name, verdict, about), &bytes, &whole);
    }
    let about = "an altered record, seen without the key";
    let edited = Record { principal: Some(Who { id: id(0x33), name: "bob.ruiz" }), ..full() };
    let edited = Chain::of(&[edited, denied(), event()]);
    kind.add(("edited-record-under-the-old-head", "fork", about), &edited.bytes, &public);
    let about = "a gateway with two pasts";
    kind.add(("from-another-head-on", "fork", about), rest, &{
        let mut given = given(2, &Head([1; 32]), &head, &K1);
        given.remove("key");
        given
    });

    kind
}

fn broken(all: &[Record<'_>; 3], bytes: &[u8]) -> Vec<Case<Vec<u8>>> {
    let [one, two, three] = all;
    let start = Chain::of(&[*one]).bytes.len();
    let flipped = |at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let name = bytes.windows(8).position(|window| window == b"ana.ruiz").unwrap();
    let other_key = {
        let mut chain = Chain::new();
        chain.ratchet = Ratchet::new([8; 32]);
        all.iter().fold(chain, |chain, record| chain.then(&encode(record))).bytes
    };

    vec![
        ("edited-record", "forged_tag", "a name was exchanged in place", flipped(name)),
        ("tag-altered", "forged_tag", "", flipped(start - 1)),
        ("tags-of-another-key", "forged_tag", "written after the key was gone", other_key),
        ("record-left-out", "gap", "the second", Chain::of(&[*one, *three]).bytes),
        ("record-twice", "gap", "the first", Chain::of(&[*one, *one, *two, *three]).bytes),
        ("records-exchanged", "gap", "", Chain::of(&[*two, *one, *three]).bytes),
        ("last-record-cut-off", "fork", "the head that is claimed is another", {
            Chain::of(&[*one, *two]).bytes
        }),
        ("frame-cut-short", "bad_record", "in the last tag", bytes[..bytes.len() - 1].to_vec()),
        ("record-that-is-none", "bad_record", "an unknown code", {
            let mut record = encode(one);
            // The reason: after present, seq, boot, mono_ms in two bytes, created_at and codes.
            record[13] = 0x7f;
            Chain::new().then(&record).bytes
        }),
    ]
}
