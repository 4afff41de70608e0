//! Waiting for what must happen soon.
//!
//! Nothing waits for a while and then believes that something has happened: it looks until it has.

use core::time::Duration;

use anyhow::Result;
use tokio::time::{sleep, timeout};

/// How long to look for what should happen at once; thousands of handshakes take their time.
const SOON: Duration = Duration::from_secs(120);
/// How often to look.
pub(crate) const STEP: Duration = Duration::from_millis(5);

/// What should hold and does not: the answer is no, and not that the program is broken.
#[derive(Debug)]
pub(crate) struct Missed(pub(crate) String);

impl core::fmt::Display for Missed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Missed {}

/// Returns what `look` finds, as soon as it finds something.
pub(crate) async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let found = soon(what, async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            sleep(STEP).await;
        }
    });

    found.await?
}

/// Returns what comes, if it comes soon.
pub(crate) async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> Result<T> {
    let late = |_| Missed(format!("not within {} s: {what}", SOON.as_secs()));

    Ok(timeout(SOON, coming).await.map_err(late)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_never_comes_is_not_waited_for_for_ever() {
        let missed = until::<()>("rain", async || Ok(None)).await.unwrap_err();
        assert_eq!(missed.to_string(), "not within 120 s: rain");
        assert!(missed.downcast_ref::<Missed>().is_some());

        let mut looks = 0;
        let found = until("the third look", async || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(found.await.unwrap(), 3);
    }
}
