//! A second connection with renewed files, while the first one goes on.

use core::future::pending;
use core::time::Duration;

use tokio::time::sleep;

use super::credentials::Credentials;
use super::reach::Target;
use super::session::Session;

/// How often the files are looked at: rarely enough for an idle gateway, and certificates are
/// renewed days before they end.
pub(super) const LOOK: Duration = Duration::from_secs(30);

/// Waits for files that differ from those in use and work, and returns a connection made with them.
/// What the broker turns down is told once and tried again when it has changed; what failed in
/// another way, at the next look.
pub(super) async fn renewed(target: Target<'_>, credentials: &mut Option<Credentials>) -> Session {
    let Some(credentials) = credentials.as_mut().filter(|_| target.url.tls()) else {
        return pending().await;
    };
    loop {
        let asked = tokio::select! {
            () = sleep(LOOK) => false,
            () = target.config.reload.notified() => true,
        };
        let Some(loaded) = credentials.renewed(asked) else { continue };
        match (Target { tls: Some(&loaded), ..target }).reach().await {
            Ok(session) => {
                credentials.worked(loaded);
                return session;
            }
            Err(ended) => {
                credentials.blame(&loaded, &ended);
                credentials.complain(loaded.fingerprint, &super::chain(&ended));
            }
        }
    }
}
