//! Tokens that take the same way through the check: all of it is gone, whatever is wrong.
//!
//! That the same way takes the same time is shown by `tests/memcheck` and `tests/timing`.

use super::*;

/// `count` tokens of one user who may do everything, with their texts in the order of the table.
fn alike(count: u64) -> (Contents, Vec<(u64, Secret)>) {
    let mut contents = Contents { account: id(7), ..Contents::default() };
    let owner = PrincipalEntry {
        id: id(100),
        name: "owner".into(),
        kind: PrincipalKind::User,
        disabled: false,
        no_iot_access: false,
        permissions: PermissionSet(0x3f7ef),
        scope: Scope::All,
        end: End::NEVER,
    };
    contents.principals.insert(1, owner);
    let numbers = (1..=count).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut secrets: Vec<_> = numbers.map(|number| (number, Secret([number as u8; 32]))).collect();
    secrets.sort_unstable_by_key(|(number, _)| *number);
    for (number, secret) in &secrets {
        let verifier = Context::new(&id(7).0).verifier(*number, secret);
        let entry = TokenEntry { principal: 1, disabled: false, end: End::NEVER, verifier };
        contents.tokens.insert(*number, entry);
    }

    (contents, secrets)
}

/// Every check that fails, and whether an owner is told.
fn way(file: &[u8], number: u64, secret: &Secret) -> (u32, bool) {
    let opened = unsigned(file.to_vec()).unwrap();
    let view = opened.view();
    let ask = Ask::of_permissions(&view, ["manage_device"].into_iter(), None, None, Mode::Direct);
    let token = Token::read(&token::write(TokenKind::Api, number, secret)).unwrap();
    let decision = decide(&view, &ask, &token, NOW, LAX);

    (decision.failed.0, decision.principal.is_some())
}

/// Where [`Reason::BadSecret`] and nothing else failed.
const WRONG_SECRET: (u32, bool) = (0b1000, false);

#[test]
fn j2_a_secret_wrong_in_its_first_byte_takes_the_way_of_one_wrong_in_its_last() {
    for length in [VerifierLen::Full, VerifierLen::Half] {
        let (contents, secrets) = alike(3);
        let file = contents.compile(length).unwrap();
        let (number, secret) = &secrets[1];
        assert_eq!(way(&file, *number, secret), (0, true));

        for bit in 0..256 {
            let mut wrong = secret.clone();
            wrong.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(way(&file, *number, &wrong), WRONG_SECRET, "bit {bit} of the secret");
        }
        // A secret is hashed; how far a comparison gets shows where the verifier held differs.
        let kept = if length == VerifierLen::Full { 256 } else { 128 };
        for bit in 0..kept {
            let mut other = contents.clone();
            other.tokens.get_mut(number).unwrap().verifier[bit / 8] ^= 1 << (bit % 8);
            let file = other.compile(length).unwrap();
            assert_eq!(way(&file, *number, secret), WRONG_SECRET, "bit {bit} of the verifier");
        }
    }
}

#[test]
fn j4_the_token_in_the_first_row_takes_the_way_of_the_one_in_the_last() {
    for count in [1, 2, 300] {
        let (contents, secrets) = alike(count);
        let file = contents.compile(VerifierLen::Full).unwrap();
        for (number, secret) in &secrets {
            assert_eq!(way(&file, *number, secret), (0, true), "{number:x} of {count}");
            let wrong = Secret(secret.0.map(|byte| !byte));
            assert_eq!(way(&file, *number, &wrong), WRONG_SECRET, "{number:x} of {count}");
        }
    }
}
