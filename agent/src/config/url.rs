//! The addresses of brokers.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

/// Where a broker is: `mqtts://host[:port]`, or `mqtt://` on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerUrl {
    host: String,
    port: u16,
    tls: bool,
}

impl BrokerUrl {
    /// Returns the host: a name, or an address without brackets; the broker's certificate must
    /// name it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the TCP port: 8883 with TLS and 1883 without, where the text has none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Tells whether the connection is inside TLS.
    #[must_use]
    pub const fn tls(&self) -> bool {
        self.tls
    }
}

impl FromStr for BrokerUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(BadUrl::Scheme)?;
        let (tls, default) = match scheme {
            "mqtts" => (true, 8883),
            "mqtt" => (false, 1883),
            _ => return Err(BadUrl::Scheme),
        };
        let (host, port) = split(rest)?;
        let port = match port {
            None => default,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port != 0).ok_or(BadUrl::Port)?
            }
            Some(_) => return Err(BadUrl::Port),
        };
        if !tls && !is_loopback(host) {
            return Err(BadUrl::Plain);
        }

        Ok(Self { host: host.to_owned(), port, tls })
    }
}

/// Splits `host[:port]`, where an IPv6 address stands in brackets.
fn split(text: &str) -> Result<(&str, Option<&str>), BadUrl> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(BadUrl::Host)?;
        if !matches!(host.parse(), Ok(IpAddr::V6(_))) {
            return Err(BadUrl::Host);
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(BadUrl::Host),
        };
    }

    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || host.len() > 253 || !host.bytes().all(legal) {
        return Err(BadUrl::Host);
    }

    Ok((host, port))
}

/// `localhost` counts, since the resolver may not send it elsewhere (RFC 6761, section 6.3).
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// Where the brokers are: at least one, in the order in which they are tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Brokers {
    first: BrokerUrl,
    others: Vec<BrokerUrl>,
}

impl Brokers {
    /// Takes a list; none where it is empty.
    #[must_use]
    pub fn new(urls: Vec<BrokerUrl>) -> Option<Self> {
        let mut urls = urls.into_iter();
        let first = urls.next()?;

        Some(Self { first, others: urls.collect() })
    }

    /// Returns the one that is tried first.
    #[must_use]
    pub const fn first(&self) -> &BrokerUrl {
        &self.first
    }

    /// Returns all of them.
    pub fn iter(&self) -> impl Iterator<Item = &BrokerUrl> {
        core::iter::once(&self.first).chain(&self.others)
    }

    /// Tells whether any of them is reached inside TLS.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.iter().any(BrokerUrl::tls)
    }
}

impl FromStr for Brokers {
    type Err = BadUrl;

    /// Reads a list with commas.
    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let urls = text.split(',').map(|url| url.trim().parse()).collect::<Result<_, _>>()?;

        Self::new(urls).ok_or(BadUrl::Scheme)
    }
}

impl fmt::Display for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.others.iter().try_for_each(|other| write!(f, ", {other}"))
    }
}

/// Why a text is not the address of a broker. The text itself is not kept: it may hold a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadUrl {
    /// There is no host, or something that is not one.
    Host,
    /// `mqtt://` to another machine.
    Plain,
    /// The port is not one.
    Port,
    /// Neither `mqtts://` nor `mqtt://`.
    Scheme,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => {
                "write `mqtts://host:port` with a host name, an IPv4 address or an IPv6 address \
                 in brackets, and nothing before or after"
            }
            Self::Plain => {
                "write `mqtts://`: without TLS the broker may only be on this machine \
                 (`127.0.0.1`, `[::1]` or `localhost`)"
            }
            Self::Port => "write a port from 1 to 65535, or none for 8883 (`mqtt://`: 1883)",
            Self::Scheme => "write `mqtts://host:port`",
        })
    }
}

impl core::error::Error for BadUrl {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_be_left_out() {
        let url = |text: &str| text.parse::<BrokerUrl>().unwrap().to_string();

        assert_eq!(url("mqtts://broker.example"), "mqtts://broker.example:8883");
        assert_eq!(url("mqtts://[2001:db8::1]"), "mqtts://[2001:db8::1]:8883");
        assert_eq!(url("mqtts://10.0.0.1:1"), "mqtts://10.0.0.1:1");
        assert_eq!(url("mqtt://127.0.0.1"), "mqtt://127.0.0.1:1883");
        assert_eq!(url("mqtt://[::1]:7"), "mqtt://[::1]:7");
        assert_eq!(url("mqtt://localhost:65535"), "mqtt://localhost:65535");
    }

    #[test]
    fn without_tls_only_this_machine_is_reached() {
        for far in ["mqtt://broker.example", "mqtt://10.0.0.1", "mqtt://127.0.0.1.example:1883"] {
            assert_eq!(far.parse::<BrokerUrl>(), Err(BadUrl::Plain), "{far}");
        }
    }

    #[test]
    fn whatever_is_not_an_address_is_refused() {
        for (text, why) in [
            ("", BadUrl::Scheme),
            ("broker.example:8883", BadUrl::Scheme),
            ("https://broker.example", BadUrl::Scheme),
            ("MQTTS://broker.example", BadUrl::Scheme),
            ("mqtts://", BadUrl::Host),
            ("mqtts://:8883", BadUrl::Host),
            ("mqtts://user@broker.example", BadUrl::Host),
            ("mqtts://user:secret@broker.example", BadUrl::Port),
            ("mqtts://broker.example/", BadUrl::Host),
            ("mqtts://broker.example:8883/", BadUrl::Port),
            ("mqtts://broker.example:", BadUrl::Port),
            ("mqtts://broker.example:0", BadUrl::Port),
            ("mqtts://broker.example:+1", BadUrl::Port),
            ("mqtts://broker.example:65536", BadUrl::Port),
            ("mqtts://[::1", BadUrl::Host),
            ("mqtts://[127.0.0.1]", BadUrl::Host),
            ("mqtts://[::1]8883", BadUrl::Host),
            ("mqtts://a b", BadUrl::Host),
        ] {
            assert_eq!(text.parse::<BrokerUrl>(), Err(why), "{text}");
        }
    }
}
