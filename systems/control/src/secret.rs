//! Secret files: only their owner can read them, else they are not used.
//!
//! Everything that is wrong with several of them is said at once. No message repeats what a file
//! holds.

use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gateward_core::name::unhex;
use zeroize::Zeroizing;

use crate::whole;

/// More than any secret file has.
const MAX_LEN: u64 = 16 * 1024;
/// Bits of a mode that let somebody else in.
const OTHERS: u32 = 0o077;

/// What is wrong with one file.
#[derive(Debug)]
pub enum Problem {
    /// Others can read it.
    Exposed {
        /// Its mode.
        mode: u32,
    },
    /// Every key of its role here is limited to other groups.
    Limited,
    /// It cannot be read.
    Unreadable(io::Error),
    /// It holds a key that the newest key set does not trust with its role.
    Untrusted,
    /// It holds something else.
    Unlike {
        /// What should be there.
        expected: &'static str,
    },
}

/// Secret files that cannot be used, all of them.
#[derive(Debug, Default)]
pub struct Unusable(Vec<(PathBuf, Problem)>);

impl Unusable {
    /// One file and what is wrong with it.
    #[must_use]
    pub fn one(path: &Path, problem: Problem) -> Self {
        Self(vec![(path.to_owned(), problem)])
    }

    /// Returns each file with what is wrong with it.
    #[must_use]
    pub fn list(&self) -> &[(PathBuf, Problem)] {
        &self.0
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (path, problem)) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            let path = path.display();
            match problem {
                Problem::Exposed { mode } => write!(
                    f,
                    "`{path}`: mode {mode:04o} lets others read a secret; run `chmod 600 {path}`"
                )?,
                Problem::Limited => write!(
                    f,
                    "`{path}`: no key of this role here signs for every group that is asked for; \
                     bring the one that does, or make one with `keys rotate`"
                )?,
                Problem::Unreadable(error) => {
                    write!(f, "`{path}`: cannot be read ({error}); put it back where it was")?;
                }
                Problem::Untrusted => write!(
                    f,
                    "`{path}`: this key may not sign for the newest key set; bring the one that \
                     may, or make one with `keys rotate`"
                )?,
                Problem::Unlike { expected } => {
                    write!(f, "`{path}`: expected {expected}; restore the file from a backup")?;
                }
            }
        }

        Ok(())
    }
}

impl std::error::Error for Unusable {}

/// Reads a secret text.
///
/// # Errors
///
/// The file cannot be read, or others can read it too.
pub fn read(path: &Path) -> Result<Zeroizing<String>, Unusable> {
    read_one(path).map_err(|problem| Unusable::one(path, problem))
}

/// Reads several secret texts, in order.
///
/// # Errors
///
/// Names every file that cannot be used.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Zeroizing<String>>, Unusable> {
    let mut unusable = Unusable::default();
    let mut texts = Vec::with_capacity(paths.len());
    for path in paths {
        match read_one(path) {
            Ok(text) => texts.push(text),
            Err(problem) => unusable.0.push((path.clone(), problem)),
        }
    }

    if unusable.0.is_empty() { Ok(texts) } else { Err(unusable) }
}

fn read_one(path: &Path) -> Result<Zeroizing<String>, Problem> {
    let file = File::open(path).map_err(Problem::Unreadable)?;
    let mode = file.metadata().map_err(Problem::Unreadable)?.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(Problem::Exposed { mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_LEN).read_to_string(&mut text).map_err(Problem::Unreadable)?;

    Ok(text)
}

/// Writes a secret text with mode 0600, whatever the mode of the file was.
///
/// # Errors
///
/// The file cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), whole::Failed> {
    if path.exists() {
        fs::set_permissions(path, Permissions::from_mode(0o600))
            .map_err(whole::Failed::new("guarded", path))?;
    }

    whole::write(path, text.as_bytes(), 0o600)
}

/// Makes a folder, and those above it, that only their owner can look into.
///
/// # Errors
///
/// The folder cannot be made.
pub fn make_folder(path: &Path) -> Result<(), whole::Failed> {
    let mut builder = fs::DirBuilder::new();

    builder.recursive(true).mode(0o700).create(path).map_err(whole::Failed::new("made", path))
}

/// Reads exactly 2 × `N` hexadecimal digits.
#[must_use]
pub fn hex<const N: usize>(digits: &str) -> Option<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);

    unhex(digits, &mut *bytes).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_others_can_read_are_all_named_with_the_command_that_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c"].map(|name| dir.path().join(name));
        for path in &paths {
            write(path, "secret").unwrap();
        }
        assert_eq!(read_all(&paths).unwrap().len(), 3);
        fs::set_permissions(&paths[0], Permissions::from_mode(0o640)).unwrap();
        fs::set_permissions(&paths[2], Permissions::from_mode(0o604)).unwrap();
        let text = read_all(&paths).unwrap_err().to_string();

        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains(&format!("chmod 600 {}", paths[0].display())), "{text}");
        assert!(text.contains("0604") && !text.contains("secret`"), "{text}");
    }

    #[test]
    fn a_secret_is_guarded_even_where_an_open_file_stood() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write(&path, "new").unwrap();

        assert_eq!(read(&path).unwrap().as_str(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn only_digits_of_the_right_number_are_read() {
        assert_eq!(hex::<2>("0aff").as_deref(), Some(&[10, 255]));
        for bad in ["", "0af", "0aff0", "0aff00", "0AFF", "0 ff", "zzzz"] {
            assert!(hex::<2>(bad).is_none(), "{bad}");
        }
    }
}
