//! Where a request comes from, as far as anybody who may be believed says so.

use core::net::IpAddr;

use axum::http::HeaderMap;
use gateward_core::audit::Source;

use super::listen;
use crate::config::Peer;

/// Returns the source of a request: what a trusted peer says, else the peer itself (DOMAIN K9).
///
/// Of `X-Forwarded-For` the last hop counts: the one before the trusted peer, which it has seen
/// itself.
pub(super) fn of(headers: &HeaderMap, peer: listen::Peer, trusted: &[Peer]) -> Source {
    let (known, itself) = match peer {
        listen::Peer::Uid(uid) => (Peer::Uid(uid), Source::Uid(uid)),
        listen::Peer::Address(address) => (Peer::Address(address), address.into()),
    };
    if !trusted.contains(&known) {
        return itself;
    }
    let stated = header(headers, "x-real-ip")
        .or_else(|| header(headers, "x-forwarded-for")?.rsplit(',').next())
        .and_then(|address| address.trim().parse::<IpAddr>().ok());

    stated.map_or(itself, Source::from)
}

/// Returns the caller's own number for the request, for the record.
pub(super) fn request_id(headers: &HeaderMap) -> Option<&str> {
    header(headers, "x-request-id")
}

/// Returns a header that is there exactly once and is text.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;

    values.next().is_none().then(|| value.to_str().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn k9_an_address_is_believed_only_from_a_trusted_peer() {
        let stated = headers(&[("x-forwarded-for", "203.0.113.9, 198.51.100.7")]);
        let peer = listen::Peer::Uid(33);

        assert_eq!(of(&stated, peer, &[]), Source::Uid(33));
        assert_eq!(of(&stated, peer, &[Peer::Uid(34)]), Source::Uid(33));
        assert_eq!(of(&stated, peer, &[Peer::Uid(33)]), Source::V4([198, 51, 100, 7]));
    }

    #[test]
    fn an_address_that_is_none_leaves_the_peer() {
        let stated = headers(&[("x-real-ip", "not an address")]);

        assert_eq!(of(&stated, listen::Peer::Uid(33), &[Peer::Uid(33)]), Source::Uid(33));
    }

    #[test]
    fn a_header_that_is_there_twice_is_not_there() {
        let twice = headers(&[("x-request-id", "a"), ("x-request-id", "b")]);

        assert_eq!(request_id(&twice), None);
    }
}
