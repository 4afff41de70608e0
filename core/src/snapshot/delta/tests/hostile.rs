//! Deltas that nobody should have made.

use super::*;

/// A base, and a delta that touches every list.
fn busy() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let old = contents(60, 5);
    let mut new = old.clone();
    for (_, change) in CHANGES.iter().filter(|(why, _)| !why.starts_with("every")) {
        if new.principals.contains_key(&9) {
            change(&mut new);
        }
    }
    let (old, new) = (compile(&old), compile(&new));
    let delta = make(&old, &new, LOG2).unwrap();

    (old, new, delta)
}

/// A delta written by hand on a base of sixty tokens: the bytes of each list, and its count.
#[derive(Default)]
struct Hand([(u8, Vec<u8>); 8]);

const GRANTS_GONE: usize = 0;
const GRANTS: usize = 1;
const PRINCIPALS_GONE: usize = 2;
const PRINCIPALS: usize = 3;
const TOKENS_GONE: usize = 4;
const TOKENS: usize = 5;
const RESOURCES_GONE: usize = 6;
const RESOURCES: usize = 7;

impl Hand {
    fn with(mut self, list: usize, entries: &[&[u8]]) -> Self {
        self.0[list] = (u8::try_from(entries.len()).unwrap(), entries.concat());
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend(base_root().0);
        bytes.extend([1, 32, 0, 0]);
        for (count, entries) in &self.0 {
            bytes.push(*count);
            bytes.extend(entries);
        }
        bytes
    }

    fn applied(&self) -> Result<Vec<u8>, NotApplied> {
        apply(&compile(&contents(60, 5)), &self.bytes())
    }
}

fn base_root() -> Root {
    chunk::root_of(&compile(&contents(60, 5)), LOG2).unwrap()
}

fn grant(key: u32) -> Vec<u8> {
    [&key.to_le_bytes()[..], &[1]].concat()
}

fn principal(key: u32, grant: u32) -> Vec<u8> {
    let mut bytes = key.to_le_bytes().to_vec();
    bytes.extend([9; 16]);
    bytes.extend([1, b'n', 0, 0]);
    bytes.extend(grant.to_le_bytes());
    bytes.extend([0xff; 4]);
    bytes.extend([0; 8]);
    bytes
}

fn put(id: u64, owner: u32) -> Vec<u8> {
    let mut bytes = id.to_le_bytes().to_vec();
    bytes.extend(owner.to_le_bytes());
    bytes.push(0);
    bytes.extend([0xff; 4]);
    bytes.extend([3; 32]);
    bytes
}

fn resource(kind: u8, division: u16) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend([0xee; 16]);
    bytes.extend(division.to_le_bytes());
    bytes
}

fn le(key: u32) -> [u8; 4] {
    key.to_le_bytes()
}

#[test]
fn a_delta_written_by_hand_is_applied() {
    let hand = Hand::default()
        .with(GRANTS, &[&grant(8), &grant(9)])
        .with(PRINCIPALS, &[&principal(1, 9)])
        .with(TOKENS, &[&put(1, 1), &put(2, 3)])
        .with(RESOURCES, &[&resource(9, 59), &resource(10, 0xffff)]);
    let file = hand.applied().unwrap();

    let opened = unsigned(&file[..]).unwrap();
    let owners: Vec<_> = opened.view().tokens().take(2).map(|row| row.owner).collect();
    assert_eq!(owners, [1, 2], "the new principal of key 1 stands second");
    assert_eq!(opened.view().principal(1).unwrap().permissions(), PermissionSet(1));
    assert!(Hand::default().applied().is_ok());
}

#[test]
fn what_stands_twice_or_out_of_order_is_refused() {
    let [three, six] = [le(3), le(6)];
    let [first, second] = first_tokens();
    let (tokens, resources) = ([put(1, 0), put(2, 0)], [resource(1, 0), resource(2, 0)]);
    let lists: [(usize, [&[u8]; 2]); 7] = [
        (GRANTS, [&grant(3), &grant(4)]),
        (PRINCIPALS_GONE, [&three, &six]),
        (PRINCIPALS, [&principal(3, any_grant()), &principal(6, any_grant())]),
        (TOKENS_GONE, [&first, &second]),
        (TOKENS, [&tokens[0], &tokens[1]]),
        (RESOURCES, [&resources[0], &resources[1]]),
        (RESOURCES_GONE, [&[1; 17], &[2; 17]]),
    ];
    for (list, [one, other]) in lists {
        let refused =
            |entries: &[&[u8]]| Delta::read(&Hand::default().with(list, entries).bytes()).err();
        assert_eq!(refused(&[one, other]), None, "{list}");
        assert_eq!(refused(&[other, one]), Some(NotApplied::Order), "{list}");
        assert_eq!(refused(&[one, one]), Some(NotApplied::Order), "{list}");
    }
}

#[test]
fn what_both_goes_and_comes_is_refused() {
    let [first, _] = first_tokens();
    let id = u64::from_le_bytes(first);
    let both = [
        Hand::default().with(GRANTS_GONE, &[&le(5)]).with(GRANTS, &[&grant(5)]),
        Hand::default()
            .with(PRINCIPALS_GONE, &[&le(3)])
            .with(PRINCIPALS, &[&principal(3, any_grant())]),
        Hand::default().with(TOKENS_GONE, &[&first]).with(TOKENS, &[&put(id, 3)]),
    ];
    for hand in both {
        assert_eq!(hand.applied(), Err(NotApplied::Order));
    }
}

#[test]
fn what_is_not_there_cannot_go() {
    let missing: [(usize, &[u8]); 4] = [
        (GRANTS_GONE, &le(5)),
        (PRINCIPALS_GONE, &le(4)),
        (TOKENS_GONE, &[1, 0, 0, 0, 0, 0, 0, 0]),
        (RESOURCES_GONE, &[200; 17]),
    ];
    for (list, key) in missing {
        let hand = Hand::default().with(list, &[key]);
        assert_eq!(hand.applied(), Err(NotApplied::Missing), "{list}");
    }
}

#[test]
fn a_reference_to_what_is_not_there_is_refused() {
    let used = le(any_grant());
    let dangling = [
        ("no such grant", Hand::default().with(PRINCIPALS, &[&principal(1, 5)])),
        ("no such owner", Hand::default().with(TOKENS, &[&put(1, 1)])),
        ("no such owner past the last", Hand::default().with(TOKENS, &[&put(1, u32::MAX)])),
        (
            "the owner goes",
            Hand::default().with(PRINCIPALS_GONE, &[&le(3)]).with(TOKENS, &[&put(1, 3)]),
        ),
        ("the grant of somebody who stays goes", Hand::default().with(GRANTS_GONE, &[&used])),
        ("no such division", Hand::default().with(RESOURCES, &[&resource(9, 60)])),
    ];
    for (why, hand) in dangling {
        assert_eq!(hand.applied(), Err(NotApplied::Dangling), "{why}");
    }
}

#[test]
fn ids_that_crowd_together_are_refused_before_anything_is_written() {
    let crowd: Vec<_> = (1..=100).map(|id| put(id, 3)).collect();
    let crowd: Vec<&[u8]> = crowd.iter().map(Vec::as_slice).collect();

    assert_eq!(Hand::default().with(TOKENS, &crowd).applied(), Err(NotApplied::TooMany));
}

#[test]
fn a_longer_spelling_a_wrong_tag_or_a_remainder_is_refused() {
    let good = Hand::default().with(GRANTS, &[&grant(8)]).bytes();
    assert!(Delta::read(&good).is_ok());
    let at = |place: usize, bytes: &[u8]| [&good[..place], bytes, &good[place + 1..]].concat();
    let head = 1 + 32;
    let malformed = [
        ("a remainder", [&good[..], &[0]].concat()),
        ("a scope longer than any", at(head, &[5])),
        ("a verifier of 17 bytes", at(head + 1, &[17])),
        ("a third status", at(head + 2, &[2])),
        ("a third kind of option", at(head + 3, &[2])),
        ("extensions that are not there", at(head + 3, &[1])),
        ("a count in two bytes", at(head + 4, &[0x80, 0])),
        ("permissions in two bytes", at(head + 10, &[0x81, 0])),
        ("permissions past 64 bits", at(head + 10, &[0xff; 10])),
    ];
    for (why, bytes) in malformed {
        assert_eq!(Delta::read(&bytes).err(), Some(NotApplied::Malformed), "{why}");
    }
    assert_eq!(Delta::read(&at(0, &[2])).err(), Some(NotApplied::UnknownFormat));
}

#[test]
fn a_name_that_is_none_is_refused_when_the_delta_is_read() {
    let named = |name: &[u8]| {
        let mut bytes = principal(1, any_grant());
        bytes[20] = u8::try_from(name.len()).unwrap();
        bytes.splice(21..22, name.iter().copied());
        Delta::read(&Hand::default().with(PRINCIPALS, &[&bytes]).bytes()).err()
    };

    assert_eq!(named(b"ana.ruiz"), None);
    for name in [&b""[..], b"a\nb", b"\xff", b"cut \xc3"] {
        assert_eq!(named(name), Some(NotApplied::Malformed), "{name:?}");
    }
}

#[test]
fn h17_a_count_or_length_of_4_gib_and_more_is_refused_where_it_stands() {
    let head = 1 + 32 + 3;
    let good = Hand::default().bytes();
    for huge in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]] {
        let ext = [&good[..head], &[1], huge].concat();
        let count = [&good[..=head], huge].concat();
        let name = Hand::default().with(PRINCIPALS, &[&[0; 20], huge]).bytes();
        for bytes in [ext, count, name] {
            assert_eq!(Delta::read(&bytes).err(), Some(NotApplied::Malformed));
        }
    }
}

#[test]
fn what_a_reader_is_asked_for_never_exceeds_what_it_was_sent() {
    let (_, _, delta) = busy();

    assert!(Delta::read(&delta).unwrap().room() <= delta.len() / 4);
}

#[test]
fn h2_no_flipped_bit_gives_the_new_file_or_makes_anything_panic() {
    let (old, new, delta) = busy();
    assert_eq!(apply(&old, &delta).as_ref(), Ok(&new));
    for at in 1..delta.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bad = delta.clone();
            bad[at] ^= flip;
            // The root of its base is not looked at without a signed one.
            let in_root = (1..33).contains(&at);
            assert!(apply(&old, &bad).as_ref() != Ok(&new) || in_root, "byte {at}, flip {flip}");
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let (_, _, delta) = busy();
    for len in 0..delta.len() {
        assert!(Delta::read(&delta[..len]).is_err(), "{len}");
    }
}

#[test]
fn too_few_marks_are_an_error_and_enough_are_enough() {
    let (old, new, bytes) = busy();
    let delta = Delta::read(&bytes).unwrap();
    let base = unsigned(&old[..]).unwrap();
    let enough = (0..=delta.room()).find(|room| {
        let mut marks = vec![Mark::default(); *room];
        let applied = delta.on_unsigned(&base, &mut marks);
        assert!(applied.is_ok() || applied.is_err_and(|why| why == NotApplied::NoRoom));
        let mut marks = vec![Mark::default(); *room];
        let mut file = Vec::new();
        let done = delta.on_unsigned(&base, &mut marks).and_then(|ready| ready.write(&mut file));
        done.is_ok() && file == new
    });

    assert!(enough.is_some_and(|enough| enough > 3), "{enough:?}");
}

#[test]
fn on_any_other_base_a_delta_is_an_error_or_another_file_and_never_a_panic() {
    let (_, new, delta) = busy();
    for (tokens, seed) in [(0, 1), (1, 2), (60, 6), (61, 5), (120, 9), (200, 5)] {
        let other = compile(&contents(tokens, seed));
        assert_ne!(apply(&other, &delta).as_ref(), Ok(&new), "{tokens}");
    }
}

fn first_tokens() -> [[u8; 8]; 2] {
    let all = contents(60, 5).tokens;
    let mut ids = all.keys().map(|id| id.to_le_bytes());

    [ids.next().unwrap(), ids.next().unwrap()]
}

/// Key of a grant that somebody has.
fn any_grant() -> u32 {
    unsigned(compile(&contents(60, 5))).unwrap().view().grants[0].key.get()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_it_panic(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(Delta::read(&noise));
        let mut bytes = Hand::default().bytes();
        bytes.truncate(37);
        bytes.extend(noise);
        if Delta::read(&bytes).is_ok() {
            drop(apply(&compile(&contents(60, 5)), &bytes));
        }
    }
}
