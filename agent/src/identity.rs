//! Who this gateway is: the one secret file that enrolment makes (TRUST section 5).
//!
//! A text of five lines, so that an operator can see which gateway it belongs to; whether others
//! can read it is checked where the configuration is.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use ed25519_dalek::SigningKey;
use gateward_core::audit::Ratchet;
use gateward_core::name::{Hex, unhex};
use gateward_core::topic;
use gateward_core::trust::Incarnation;
use zeroize::Zeroizing;

const FORMAT: &str = "gateward-gateway-key 1";
/// More than any such file has.
const MAX_LEN: u64 = 4096;

/// The secrets of one gateway, never shown.
#[derive(Clone)]
pub struct Identity {
    /// The gateway's name, as in `agent.toml`.
    pub gateway: String,
    /// Drawn at each enrolment: record numbers count from 1 in each.
    pub incarnation: Incarnation,
    /// Signs checkpoints and status.
    pub key: SigningKey,
    /// The first key of the audit chain; zeros once it is [spent](Self::spend).
    pub audit: Ratchet,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("gateway", &self.gateway).finish_non_exhaustive()
    }
}

/// Why a file is not a gateway's identity.
#[derive(Debug, thiserror::Error)]
pub enum BadIdentity {
    /// The file cannot be read.
    #[error("`{}`: cannot be read; `gateway_key` must name the file that `gateward-control enroll` wrote", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not what it should be; its text is not repeated, since it may be a key.
    #[error("`{}`, line {line}: expected {expected}; enrol this gateway again", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
}

impl Identity {
    /// Reads the file that enrolment wrote.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or a line is wrong.
    pub fn load(path: &Path) -> Result<Self, BadIdentity> {
        let unreadable = |source| BadIdentity::Unreadable { path: path.to_owned(), source };
        let mut text = Zeroizing::new(String::new());
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_LEN).read_to_string(&mut text).map_err(unreadable)?;

        Self::read(&text).map_err(|(line, expected)| BadIdentity::Line {
            path: path.to_owned(),
            line,
            expected,
        })
    }

    fn read(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut lines = text.lines();
        let mut line = |number: usize, expected: &'static str| {
            lines.next().ok_or((number, expected)).map(|text| (text, (number, expected)))
        };
        let (format, wrong) = line(1, "`gateward-gateway-key 1`")?;
        if format != FORMAT {
            return Err(wrong);
        }
        let (gateway, wrong) = line(2, "`gateway` and its name")?;
        let gateway =
            gateway.strip_prefix("gateway ").filter(|name| topic::is_level(name)).ok_or(wrong)?;
        let (incarnation, wrong) = line(3, "`incarnation` and 16 hexadecimal digits")?;
        let incarnation = *hex(incarnation, "incarnation ").ok_or(wrong)?;
        let (key, wrong) = line(4, "`key` and 64 hexadecimal digits")?;
        let key = hex(key, "key ").ok_or(wrong)?;
        let (audit, wrong) = line(5, "`audit` and 64 hexadecimal digits")?;
        let audit = hex(audit, "audit ").ok_or(wrong)?;
        if lines.next().is_some() {
            return Err((6, "the end of the file"));
        }

        Ok(Self {
            gateway: gateway.to_owned(),
            incarnation: Incarnation(incarnation),
            key: SigningKey::from_bytes(&key),
            audit: Ratchet::new(*audit),
        })
    }

    /// Returns the first key of the audit chain; none once it is spent.
    #[must_use]
    pub fn first_key(&self) -> Option<&Ratchet> {
        Some(&self.audit).filter(|key| *key.expose() != [0; 32])
    }

    /// Overwrites the first key of the audit chain in the file, in its place: once a later one is kept, whoever steals
    /// this disk could make every tag anew with it (TRUST sections 5 and 6).
    ///
    /// # Errors
    ///
    /// The file cannot be read or written, or is no longer this one: an administrator may have enrolled the gateway
    /// again.
    pub fn spend(&self, path: &Path) -> io::Result<()> {
        let file = File::options().read(true).write(true).open(path)?;
        let mut text = Zeroizing::new(String::new());
        (&file).take(MAX_LEN).read_to_string(&mut text)?;
        let is_same = Self::read(&text).is_ok_and(|found| {
            found.incarnation == self.incarnation && found.audit.expose() == self.audit.expose()
        });
        if !is_same {
            return Err(io::Error::other("it is no longer the file that was loaded"));
        }
        let label = "\naudit ";
        let at = text.find(label).ok_or(io::ErrorKind::InvalidData)? + label.len();
        file.write_all_at(&[b'0'; 64], u64::try_from(at).unwrap_or_default())?;

        file.sync_all()
    }

    /// Returns the text of the file, for whoever enrols; write it with mode 0600.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(self.key.to_bytes());

        Zeroizing::new(format!(
            "{FORMAT}\ngateway {}\nincarnation {}\nkey {}\naudit {}\n",
            self.gateway,
            Hex(&self.incarnation.0),
            Hex(&*key),
            Hex(self.audit.expose())
        ))
    }
}

/// Reads `label` and exactly 2 × `N` hexadecimal digits.
fn hex<const N: usize>(line: &str, label: &str) -> Option<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);

    unhex(line.strip_prefix(label)?, &mut *bytes).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            gateway: "edge-7a".to_owned(),
            incarnation: Incarnation([0xc1; 8]),
            key: SigningKey::from_bytes(&[0xc2; 32]),
            audit: Ratchet::new([0xc3; 32]),
        }
    }

    #[test]
    fn the_first_key_of_the_audit_is_overwritten_in_its_place_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.key");
        std::fs::write(&path, identity().encode()).unwrap();
        assert!(Identity::load(&path).unwrap().first_key().is_some());
        let again = Identity { incarnation: Incarnation([1; 8]), ..identity() };
        assert!(again.spend(&path).is_err(), "of another enrolment");
        assert!(Identity::load(&path).unwrap().first_key().is_some());

        identity().spend(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("c3c3") && text.len() == identity().encode().len());
        let spent = Identity::load(&path).unwrap();
        assert!(spent.first_key().is_none());
        assert_eq!(spent.key, identity().key);
        std::fs::write(&path, "no key\n").unwrap();
        assert!(identity().spend(&path).is_err());
    }

    #[test]
    fn what_enrolment_writes_is_what_the_gateway_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.key");
        std::fs::write(&path, identity().encode().as_bytes()).unwrap();
        let read = Identity::load(&path).unwrap();

        assert_eq!(*read.encode(), *identity().encode());
    }

    #[test]
    fn n9_neither_debug_nor_an_error_shows_a_key() {
        let shown = format!("{:?}", identity());
        assert!(!shown.contains("c2") && !shown.contains("194"), "{shown}");

        let text = identity().encode().replace("key c", "key x");
        let error = Identity::read(&text).unwrap_err();
        assert_eq!(error, (4, "`key` and 64 hexadecimal digits"));
    }

    #[test]
    fn a_file_that_was_cut_short_or_grew_is_refused() {
        let text = identity().encode();
        for len in 0..text.len() - 1 {
            assert!(Identity::read(&text[..len]).is_err(), "{len}");
        }
        assert!(Identity::read(&format!("{}more", *text)).is_err());
        assert!(Identity::load(Path::new("/nowhere/at/all")).is_err());
    }
}
