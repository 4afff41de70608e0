//! Where the broker is: `mqtts://host:port`.
//!
//! Without TLS only a loopback address is taken, so that no configuration sends names and audit
//! over a network in the clear.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

/// The address of a broker, as written in `[broker] url` (INTERFACES section 4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerUrl {
    host: String,
    port: u16,
    tls: bool,
}

impl BrokerUrl {
    /// The host name or address, without brackets; the broker's certificate must name it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port: 8883 with TLS and 1883 without, where the text has none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is inside TLS.
    #[must_use]
    pub const fn tls(&self) -> bool {
        self.tls
    }
}

impl FromStr for BrokerUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let (tls, rest) = match text.split_once("://") {
            Some(("mqtts", rest)) => (true, rest),
            Some(("mqtt", rest)) => (false, rest),
            _ => return Err(BadUrl::Scheme),
        };
        let (host, port) = split(rest).ok_or(BadUrl::Host)?;
        let port = match port {
            None if tls => 8883,
            None => 1883,
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

/// Why a text is not the address of a broker. It never quotes the text, which may hold a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadUrl {
    /// There is no host, or something that is none.
    #[error(
        "write `mqtts://host:port` with a host name, an IPv4 address or an IPv6 address in \
         brackets, and nothing before or after"
    )]
    Host,
    /// `mqtt://` to another machine.
    #[error(
        "write `mqtts://`: without TLS the broker may only be on this machine (`127.0.0.1`, \
         `[::1]` or `localhost`)"
    )]
    Plain,
    /// The port is none.
    #[error("write a port from 1 to 65535, or none for 8883 (`mqtt://`: 1883)")]
    Port,
    /// Neither `mqtts://` nor `mqtt://`.
    #[error("write `mqtts://host:port`")]
    Scheme,
}

/// Splits `host[:port]`, where an IPv6 address stands in brackets.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) = rest.split_once(']')?;
        host.parse().ok().filter(IpAddr::is_ipv6)?;
        return match tail.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => tail.is_empty().then_some((host, None)),
        };
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let sound = !host.is_empty() && host.len() <= 253 && host.bytes().all(legal);

    sound.then_some((host, port))
}

/// `localhost` counts, since a resolver may not send it elsewhere (RFC 6761, section 6.3).
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, u16, bool), BadUrl> {
        text.parse::<BrokerUrl>().map(|url| (url.host().to_owned(), url.port(), url.tls()))
    }

    #[test]
    fn a_url_is_read_with_the_usual_ports() {
        assert_eq!(read("mqtts://broker.example"), Ok(("broker.example".into(), 8883, true)));
        assert_eq!(read("mqtts://10.0.0.7:993"), Ok(("10.0.0.7".into(), 993, true)));
        assert_eq!(read("mqtts://[fd00::1]:8884"), Ok(("fd00::1".into(), 8884, true)));
        assert_eq!(read("mqtt://localhost"), Ok(("localhost".into(), 1883, false)));
        assert_eq!(read("mqtt://[::1]:1884"), Ok(("::1".into(), 1884, false)));
    }

    #[test]
    fn without_tls_only_this_machine_is_reached() {
        for text in ["mqtt://broker.example", "mqtt://10.0.0.7:1883", "mqtt://127.0.0.1.example"] {
            assert_eq!(read(text), Err(BadUrl::Plain));
        }
    }

    #[test]
    fn what_is_not_a_url_says_what_to_write() {
        for (text, why) in [
            ("broker.example:8883", BadUrl::Scheme),
            ("https://broker.example", BadUrl::Scheme),
            ("mqtts://", BadUrl::Host),
            ("mqtts://user@host", BadUrl::Host),
            ("mqtts://[fd00::1", BadUrl::Host),
            ("mqtts://[127.0.0.1]", BadUrl::Host),
            ("mqtts://host:0", BadUrl::Port),
            ("mqtts://host:+1", BadUrl::Port),
            ("mqtts://host:8883/", BadUrl::Port),
        ] {
            assert_eq!(read(text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_url_is_shown_as_it_is_read() {
        for text in ["mqtts://broker.example:8883", "mqtts://[fd00::1]:8884"] {
            assert_eq!(text.parse::<BrokerUrl>().unwrap().to_string(), text);
        }
    }
}
