//! A peer whose word about addresses is believed.

use core::net::IpAddr;
use std::fs;

/// Where the system keeps its users.
const USERS: &str = "/etc/passwd";

/// A program in front of the agent, known by what the kernel says about its connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Peer {
    /// Whatever connects over TCP from this address; IPv4 is never written as IPv6.
    Address(IpAddr),
    /// Whatever connects to the Unix socket as this user.
    Uid(u32),
}

impl Peer {
    /// Reads `uid:NAME`, `uid:NUMBER` or an address.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(user) = text.strip_prefix("uid:") else {
            return text
                .parse::<IpAddr>()
                .map(|address| Self::Address(address.to_canonical()))
                .map_err(|_| "write `uid:NAME`, `uid:NUMBER` or an address".to_owned());
        };
        if !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit()) {
            return user
                .parse()
                .map(Self::Uid)
                .map_err(|_| "no user has a number above 4294967295".to_owned());
        }

        let users = fs::read_to_string(USERS).unwrap_or_default();
        uid(&users, user).map(Self::Uid).ok_or_else(|| {
            format!("no such user in {USERS}: create it, or write its number after `uid:`")
        })
    }
}

/// Finds the number of `user` in the text of a passwd file.
fn uid(users: &str, user: &str) -> Option<u32> {
    let found = users.lines().map(|line| line.split(':')).find_map(|mut fields| {
        let name = fields.next()?;
        (name == user && !user.is_empty()).then(|| fields.nth(1))
    });

    found??.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users =
            "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n:x:7:7::/:\n";

        assert_eq!(uid(users, "www-data"), Some(33));
        assert_eq!(uid(users, "www"), None);
        assert_eq!(uid(users, ""), None);
    }

    #[test]
    fn an_ipv4_address_written_as_ipv6_is_the_same_peer() {
        assert_eq!(Peer::parse("::ffff:127.0.0.1"), Peer::parse("127.0.0.1"));
        assert_eq!(Peer::parse("uid:33"), Ok(Peer::Uid(33)));
        assert_eq!(Peer::parse("uid:root"), Ok(Peer::Uid(0)));
    }

    #[test]
    fn whatever_is_not_a_peer_is_refused() {
        for bad in ["", "uid:", "uid:-1", "uid:4294967296", "uid:no such user", "10.0.0.0/8", "*"] {
            assert!(Peer::parse(bad).is_err(), "{bad}");
        }
    }
}
