//! A new account: its folder, its first keys, and a policy to begin with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gateward_core::name::{BadName, Name, Uuid};
use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{KeyDraft, KeySetDraft, PrivateKey, Signer as _, TooMany};
use gateward_core::trust::{Algorithm, Role};
use zeroize::Zeroizing;

use super::halves::ROOT_FILE;
use super::{KEYS, PRIVATE, secret_path, set_path, text, with_algorithm};
use crate::draw::{self, NoRandomness};
use crate::pki::{Authority, NotIssued};
use crate::{secret, whole};

/// How many root keys there are.
const ROOTS: usize = 3;
/// How many of them must sign the next key set.
const THRESHOLD: u8 = 2;
/// Five years, after which a key set accepts nothing new.
pub(super) const LIFE_S: u64 = 5 * 366 * 86_400;

/// What an account is begun with.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Where its policy folder is made.
    pub dir: PathBuf,
    /// Its name.
    pub name: String,
    /// A folder for each root key; none for `private/root-1` to `-3`.
    pub roots: Option<[PathBuf; ROOTS]>,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
}

/// What was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Made {
    /// The account's id.
    pub account: Uuid,
    /// The files of the root keys.
    pub roots: [PathBuf; ROOTS],
    /// Whether all root keys are in the policy folder, where one thief finds them all.
    pub roots_together: bool,
}

/// Why no account was begun.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// The name cannot be one.
    #[error("account name `{}`: {why}", name.escape_debug())]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: BadName,
    },
    /// A file or folder cannot be written.
    #[error(transparent)]
    Failed(#[from] whole::Failed),
    /// A root key is there already; it may be another account's.
    #[error("`{}` exists; root keys are never overwritten, name another folder", .0.display())]
    KeyExists(PathBuf),
    /// The certificate authority cannot be made.
    #[error(transparent)]
    NoAuthority(#[from] NotIssued),
    /// The system gives no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// There is something in the folder.
    #[error("`{}` is not empty; name a new folder, or remove what is there", .0.display())]
    NotEmpty(PathBuf),
    /// Two root keys would be in one place.
    #[error("`{}` is named for two root keys; a threshold needs a place for each", .0.display())]
    SamePlace(PathBuf),
    /// The key set cannot be signed.
    #[error(transparent)]
    Unsigned(#[from] TooMany),
}

/// Makes a policy folder with all its keys, of Ed25519.
///
/// # Errors
///
/// The folder holds something, or a file cannot be written.
pub fn init(new: &NewAccount) -> Result<Made, NotMade> {
    begin(new, &[Algorithm::Ed25519])
}

/// Makes a policy folder with all its keys, of Ed25519 and ML-DSA-65, where everything must be
/// signed with both.
///
/// # Errors
///
/// The folder holds something, or a file cannot be written.
pub fn init_hybrid(new: &NewAccount) -> Result<Made, NotMade> {
    begin(new, &Algorithm::ALL)
}

fn begin(new: &NewAccount, algorithms: &[Algorithm]) -> Result<Made, NotMade> {
    let NewAccount { dir, name, roots, now_ms } = new;
    Name::new(name).map_err(|why| NotMade::BadName { name: name.clone(), why })?;
    let private = dir.join(PRIVATE);
    let together = [1, 2, 3].map(|number| private.join(format!("root-{number}")));
    let homes = roots.clone().unwrap_or(together);
    vacant(dir, &homes)?;

    // Whatever can fail for want of randomness fails before anything is written.
    let account = draw::uuid(*now_ms)?;
    let policy = policy_text(account, name, draw::uuid(*now_ms)?);
    let keys = Keys::draw(algorithms)?;
    let set = keys.first_set(account, UnixSeconds(now_ms / 1000))?;
    let authority = Authority::new(account, UnixSeconds(now_ms / 1000))?;

    secret::make_folder(&private)?;
    let public = dir.join(KEYS);
    fs::create_dir_all(&public).map_err(whole::Failed::new("made", &public))?;
    keys.write(dir, &homes)?;
    authority.save(dir)?;
    whole::write(&set_path(dir, 1), &set, 0o644)?;
    whole::write(&dir.join(".gitignore"), b"private/\nstate/\n", 0o644)?;
    whole::write(&dir.join("policy.toml"), policy.as_bytes(), 0o644)?;

    let roots_together = homes.iter().all(|home| home.starts_with(dir));
    Ok(Made { account, roots: homes.map(|home| root_file(&home)), roots_together })
}

fn root_file(home: &Path) -> PathBuf {
    home.join(ROOT_FILE)
}

/// A folder that was put under version control before anything was in it counts as empty.
fn vacant(dir: &Path, homes: &[PathBuf; ROOTS]) -> Result<(), NotMade> {
    match fs::read_dir(dir) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(whole::Failed::new("read", dir))?;
                if entry.file_name() != ".git" {
                    return Err(NotMade::NotEmpty(dir.to_owned()));
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(whole::Failed::new("read", dir)(error).into()),
    }
    for (at, home) in homes.iter().enumerate() {
        if homes.iter().skip(at + 1).any(|other| other == home) {
            return Err(NotMade::SamePlace(home.clone()));
        }
        if root_file(home).exists() {
            return Err(NotMade::KeyExists(root_file(home)));
        }
    }

    Ok(())
}

/// Draws a private key.
pub(super) fn draw_key(algorithm: Algorithm) -> Result<PrivateKey, NoRandomness> {
    let seed = draw::bytes().map(Zeroizing::new)?;

    Ok(PrivateKey::from_seed(algorithm, &seed))
}

/// One of each algorithm for every root key and every other role.
struct Keys {
    roots: [Vec<PrivateKey>; ROOTS],
    others: [(Role, Vec<PrivateKey>); 3],
}

impl Keys {
    fn draw(algorithms: &[Algorithm]) -> Result<Self, NoRandomness> {
        let keys = || algorithms.iter().copied().map(draw_key).collect::<Result<Vec<_>, _>>();

        Ok(Self {
            roots: [keys()?, keys()?, keys()?],
            others: [
                (Role::Snapshot, keys()?),
                (Role::Beacon, keys()?),
                (Role::Collector, keys()?),
            ],
        })
    }

    fn first_set(&self, account: Uuid, now: UnixSeconds) -> Result<Vec<u8>, TooMany> {
        let roots: Vec<_> = self.roots.iter().flatten().collect();
        let draft = |role: Role, key: &PrivateKey| KeyDraft::of(key, role.bit());
        let own = roots.iter().map(|key| draft(Role::Root, key));
        let others =
            self.others.iter().flat_map(|(role, keys)| keys.iter().map(|key| draft(*role, key)));

        KeySetDraft {
            account,
            epoch: 1,
            issued_at: now,
            expires: now.plus(LIFE_S),
            thresholds: [THRESHOLD, 1, 1, 1],
            required: [roots.iter().fold(0, |bits, key| bits | key.algorithm().bit()); 4],
            keys: own.chain(others).collect(),
            retired: Vec::new(),
            compromised: Vec::new(),
        }
        .sign(&roots)
    }

    fn write(&self, dir: &Path, homes: &[PathBuf; ROOTS]) -> Result<(), whole::Failed> {
        for (keys, home) in self.roots.iter().zip(homes) {
            secret::make_folder(home)?;
            write_each(&root_file(home), Role::Root, keys)?;
        }

        self.others
            .iter()
            .try_for_each(|(role, keys)| write_each(&secret_path(dir, *role), *role, keys))
    }
}

fn write_each(path: &Path, role: Role, keys: &[PrivateKey]) -> Result<(), whole::Failed> {
    keys.iter()
        .try_for_each(|key| secret::write(&with_algorithm(path, key.algorithm()), &text(key, role)))
}

fn policy_text(account: Uuid, name: &str, division: Uuid) -> String {
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");

    SKELETON
        .replace("{account}", &account.to_string())
        .replace("{division}", &division.to_string())
        .replace("{name}", &name)
}

const SKELETON: &str = include_str!("policy.toml");
