//! What the control plane remembers of a gateway: enough to know its word from a forged one.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use gateward_core::audit::Ratchet;
use gateward_core::name::{Hex, Uuid};
use gateward_core::topic;
use gateward_core::trust::{GatewayId, Incarnation, VerifyingKey};
use zeroize::Zeroizing;

use crate::keys::PRIVATE;
use crate::secret::{self, Problem, Unusable};
use crate::whole;

const FORMAT: &str = "gateward-enrolled 1";
const EXPECTED: &str = "the six lines that `enroll` writes";

/// A gateway that was enrolled.
#[derive(Clone)]
pub struct Enrolled {
    /// Its name.
    pub gateway: String,
    /// The group it was enrolled in.
    pub group: String,
    /// Which enrolment it is.
    pub incarnation: Incarnation,
    /// Verifies its status and its checkpoints.
    pub key: VerifyingKey,
    /// The first key of its audit chain; secret.
    pub audit: Ratchet,
}

impl fmt::Debug for Enrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrolled")
            .field("gateway", &self.gateway)
            .field("group", &self.group)
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
}

impl Enrolled {
    /// Returns where the record of a gateway is in the policy folder `dir`.
    #[must_use]
    pub fn path(dir: &Path, gateway: &str) -> PathBuf {
        folder(dir).join(gateway)
    }

    /// Returns its id in signed objects.
    #[must_use]
    pub fn id(&self, account: Uuid) -> GatewayId {
        GatewayId::of(account, &self.gateway)
    }

    /// Writes it into the policy folder `dir`.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), whole::Failed> {
        secret::make_folder(&folder(dir))?;
        let Self { gateway, group, incarnation, key, audit } = self;
        let text = Zeroizing::new(format!(
            "{FORMAT}\ngateway {gateway}\ngroup {group}\nincarnation {incarnation}\nkey {}\naudit {}\n",
            Hex(key.as_bytes()),
            Hex(audit.expose()),
        ));

        secret::write(&Self::path(dir, gateway), &text)
    }

    /// Reads a gateway of the policy folder `dir`.
    ///
    /// # Errors
    ///
    /// The file cannot be used, or others can read it.
    pub fn load(dir: &Path, gateway: &str) -> Result<Self, Unusable> {
        let path = Self::path(dir, gateway);
        let text = secret::read(&path)?;

        Self::parse(&text, gateway)
            .ok_or(Problem::Unlike { expected: EXPECTED })
            .map_err(|problem| Unusable::one(&path, problem))
    }

    /// Reads every gateway of the policy folder `dir`, in the order of their names.
    ///
    /// # Errors
    ///
    /// Names every file that cannot be used.
    pub fn all(dir: &Path) -> Result<Vec<Self>, Unusable> {
        let folder = folder(dir);
        let unreadable = |error| Unusable::one(&folder, Problem::Unreadable(error));
        let mut names = Vec::new();
        match fs::read_dir(&folder) {
            Ok(entries) => {
                for entry in entries {
                    let name = entry.map_err(unreadable)?.file_name();
                    names.extend(name.into_string().ok().filter(|name| topic::is_level(name)));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(error)),
        }
        names.sort();
        let paths: Vec<_> = names.iter().map(|name| folder.join(name)).collect();
        let texts = secret::read_all(&paths)?;
        let read = texts.iter().zip(&names).zip(&paths).map(|((text, name), path)| {
            Self::parse(text, name)
                .ok_or_else(|| Unusable::one(path, Problem::Unlike { expected: EXPECTED }))
        });

        read.collect()
    }

    fn parse(text: &str, name: &str) -> Option<Self> {
        let mut lines = text.lines();
        let format = lines.next()?;
        let mut field = |label: &str| lines.next()?.strip_prefix(label)?.strip_prefix(' ');
        let gateway = field("gateway")?.to_owned();
        let group = field("group")?.to_owned();
        let incarnation = Incarnation(*secret::hex(field("incarnation")?)?);
        let key = VerifyingKey::from_bytes(&*secret::hex(field("key")?)?).ok()?;
        let audit = Ratchet::new(*secret::hex(field("audit")?)?);
        let whole = format == FORMAT && gateway == name && lines.next().is_none();

        whole.then_some(Self { gateway, group, incarnation, key, audit })
    }
}

fn folder(dir: &Path) -> PathBuf {
    dir.join(PRIVATE).join("gateways")
}
