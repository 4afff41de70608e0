//! What was expected and what came; and waiting for what must happen soon.
//!
//! Nothing waits for a while and then believes that something has happened: it looks until it has.

use core::fmt;
use core::time::Duration;

use anyhow::Result;
use tokio::time::{sleep, timeout};

/// How long to look for what should happen at once; the machine may be busy.
const SOON: Duration = Duration::from_secs(9);
/// How often to look.
const STEP: Duration = Duration::from_millis(4);

/// Why a line fails.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Missed {
    /// What should have come.
    pub(crate) expected: String,
    /// What came instead.
    pub(crate) came: String,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, and what came is {}", self.expected, self.came)
    }
}

impl core::error::Error for Missed {}

/// Fails unless `came` is `expected`.
pub(crate) fn same<T: fmt::Display + PartialEq>(what: &str, expected: T, came: T) -> Result<()> {
    if came == expected {
        return Ok(());
    }
    let expected = format!("{what}: {expected}");

    Err(Missed { expected, came: came.to_string() }.into())
}

/// Returns what `look` finds, as soon as it finds something; meanwhile it says what it sees instead.
pub(crate) async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Result<T, String>>,
) -> Result<T> {
    let mut seen = String::new();
    let found = timeout(SOON, async {
        loop {
            match look().await? {
                Ok(found) => return Ok(found),
                Err(instead) => seen = instead,
            }
            sleep(STEP).await;
        }
    });
    if let Ok(found) = found.await {
        return found;
    }
    let expected = format!("{what} within {} s", SOON.as_secs());

    Err(Missed { expected, came: seen }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_same_says_what_was_expected_and_what_came() {
        assert!(same("version", 2, 2).is_ok());
        let missed = same("version", 2, 1).unwrap_err();
        let expected = Missed { expected: "version: 2".to_owned(), came: "1".to_owned() };

        assert_eq!(missed.downcast_ref(), Some(&expected));
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_comes_is_not_waited_for_for_ever() {
        let missed = until::<()>("rain", async || Ok(Err("sun".to_owned()))).await.unwrap_err();
        let expected = Missed { expected: "rain within 9 s".to_owned(), came: "sun".to_owned() };
        assert_eq!(missed.downcast_ref(), Some(&expected));

        let mut looks = 0;
        let found = until("the third look", async || {
            looks += 1;
            Ok(if looks == 3 { Ok(looks) } else { Err(looks.to_string()) })
        });
        assert_eq!(found.await.unwrap(), 3);
    }
}
