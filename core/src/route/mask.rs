//! Takes the secret out of whatever looks like a token of ours, in texts that others chose.
//!
//! Somebody will paste a token where it does not belong (DOMAIN I4). The public part stays, so that
//! the token can be found and revoked.

use core::fmt;

use crate::token::LOOKUP_LEN;

/// What tokens begin with, up to the dot, which may be percent-encoded.
const MARK: &str = "gwd1";

/// Writes `text` with the secret part of every token of ours as `***`.
///
/// A token that was cut short, or encoded once or twice, is masked as well. Masking twice changes
/// nothing.
///
/// # Errors
///
/// Returns the error of `to`, for a writer that is full.
pub fn mask_tokens(text: &str, to: &mut impl fmt::Write) -> fmt::Result {
    let mut rest = text;
    while let Some((before, after)) = split_at_mark(rest) {
        to.write_str(before)?;
        to.write_str(MARK)?;
        rest = after;
        let Some(after) = after_dot(after) else { continue };
        let (public, after) = take(after, LOOKUP_LEN, is_base64url);
        let (secret, after) = take(after, usize::MAX, is_part_of_a_token);
        to.write_str(".")?;
        to.write_str(public)?;
        if !secret.is_empty() {
            to.write_str(".***")?;
        }
        rest = after;
    }

    to.write_str(rest)
}

/// Returns what stands before the first mark, and after it.
fn split_at_mark(text: &str) -> Option<(&str, &str)> {
    // The search of the standard library has panics that no compiler takes out.
    let at = text.as_bytes().windows(MARK.len()).position(|seen| seen == MARK.as_bytes())?;
    let (before, rest) = text.split_at_checked(at)?;

    Some((before, rest.strip_prefix(MARK)?))
}

/// Returns what follows a dot, however often it was percent-encoded.
fn after_dot(text: &str) -> Option<&str> {
    if let Some(after) = text.strip_prefix('.') {
        return Some(after);
    }
    let mut escape = text.strip_prefix('%')?;
    while let Some(inner) = escape.strip_prefix("25") {
        escape = inner;
    }

    escape.strip_prefix("2e").or_else(|| escape.strip_prefix("2E"))
}

/// Splits off at most `most` of the leading bytes that are `wanted`; all of these are ASCII.
fn take(text: &str, most: usize, wanted: fn(u8) -> bool) -> (&str, &str) {
    let len = text.bytes().take(most).take_while(|byte| wanted(*byte)).count();
    text.split_at_checked(len).unwrap_or((text, ""))
}

const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Dots, encoded bytes and the stars of an earlier masking belong to what is taken out.
const fn is_part_of_a_token(byte: u8) -> bool {
    is_base64url(byte) || matches!(byte, b'.' | b'%' | b'*')
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;

    use super::*;
    use crate::principal::TokenKind;
    use crate::token::{Secret, write};

    fn masked(text: &str) -> String {
        let mut to = String::new();
        mask_tokens(text, &mut to).unwrap();
        to
    }

    #[test]
    fn i4_a_pasted_token_keeps_its_public_part_only() {
        let token = write(TokenKind::Service, 0x1ce4_d4db_018f_ed42, &Secret([0xa7; 32]));
        let token = std::str::from_utf8(&token).unwrap();
        let shown = std::format!("{}***", &token[..18]);

        for (before, after) in [("", ""), ("/", "/"), ("token=", " it"), ("gwd1", "ß"), ("ß", "&")]
        {
            let text = std::format!("{before}{token}{after}");
            assert_eq!(masked(&text), std::format!("{before}{shown}{after}"));
        }
        assert_eq!(masked(&std::format!("{token}/{token}")), std::format!("{shown}/{shown}"));
    }

    #[test]
    fn i4_a_token_that_was_encoded_or_cut_is_masked_too() {
        for text in [
            "gwd1%2EAAAAAAAAAAAA%2Esecretsecret",
            "gwd1%2eAAAAAAAAAAAA.secretsecret",
            "gwd1%252EAAAAAAAAAAAA%252Esecretsecret",
            "gwd1.AAAAAAAAAAAAsecretsecret",
            "gwd1.AAAAAAAAAAAA.sec",
            "gwd1.AAAAAAAAAAAA.secret%2Dsecret",
        ] {
            assert_eq!(masked(text), "gwd1.AAAAAAAAAAAA.***", "{text}");
        }
        assert_eq!(masked("gwd1.AAA.secret rest"), "gwd1.AAA.*** rest");
    }

    #[test]
    fn a_text_without_a_token_stays_as_it_is_and_masking_twice_changes_nothing() {
        for text in ["", "gwd1", "gwd1.AAAAAAAAAAAA", "a gwd2.b", "gwd1.AAAAAAAAAAAA.***", "größe"]
        {
            assert_eq!(masked(text), text);
        }
        let once = masked("gwd1.AAAAAAAAAAAA.secret, gwd1.BBB.secret");
        assert_eq!(masked(&once), once);
    }
}
