//! Certificates that are renewed while the link is in use.

use std::fs;
use std::path::Path;

use super::*;
use crate::link::ended::Ended;
use crate::link::renewal::LOOK;

const ACCESS: &str = "user edge-7a\ntopic readwrite mine/#\n";

/// A link to a broker that wants certificates, and what both made of it.
struct Stage {
    authority: Authority,
    broker: Mosquitto,
    dir: tempfile::TempDir,
    reload: Arc<tokio::sync::Notify>,
    link: Running,
}

impl Stage {
    async fn new() -> Self {
        let authority = Authority::new();
        let broker = Mosquitto::tls(&authority, ACCESS).await;
        let dir = tempfile::tempdir().unwrap();
        let files = authority.issue(dir.path(), "edge-7a");
        let drawn = AtomicU8::new(1);
        let will =
            || Some(Will { topic: "mine/gone".into(), payload: b"!".to_vec(), retain: true });
        let config = LinkConfig {
            client_id: Arc::new(move || format!("nth-{}", drawn.fetch_add(1, Ordering::Relaxed))),
            will: Arc::new(will),
            ..secure(broker.port(), files)
        };
        let reload = Arc::clone(&config.reload);
        let mut link = Running::up(config).await;
        link.subscribe("mine/#").await;
        Self { authority, broker, dir, reload, link }
    }

    fn at(&self, leaf: &str) -> std::path::PathBuf {
        self.dir.path().join(leaf)
    }

    /// Puts a certificate of `authority` into the place of the one in use, but not its authority.
    fn renew(&self, authority: &Authority) {
        let ca = fs::read(self.at("ca.pem")).unwrap();
        authority.issue(self.dir.path(), "edge-7a");
        fs::write(self.at("ca.pem"), ca).unwrap();
    }

    /// The connection is there, and was never gone.
    async fn still_works(&mut self) {
        let token = self.link.handle.try_publish("mine/x", "1", false).unwrap();
        let events = [self.link.next().await, self.link.next().await];
        assert!(events.contains(&message("mine/x", b"1", false)), "{events:?}");
        let fate = Fate::Taken(Reason::SUCCESS);
        assert!(events.contains(&Event::Published { token, fate }), "{events:?}");
    }

    /// The next connection takes the place of this one.
    async fn is_replaced(&mut self) {
        assert_eq!(self.link.next().await, Event::Down);
        assert!(matches!(self.link.next().await, Event::Up { .. }));
        self.link.subscribe("mine/#").await;
    }
}

fn at(log: &str, text: &str) -> usize {
    log.find(text).unwrap_or_else(|| panic!("`{text}` is not in the log: {log}"))
}

#[tokio::test]
async fn a_renewed_certificate_gets_a_connection_of_its_own_before_the_old_one_is_given_up() {
    let mut stage = Stage::new().await;
    stage.renew(&stage.authority);
    stage.reload.notify_one();
    stage.is_replaced().await;
    stage.still_works().await;

    let log = stage.broker.log();
    let (up, bye) = (at(&log, "as nth-2 "), at(&log, "Client nth-1 "));
    assert!(up < bye, "the old connection ended before the new one was there: {log}");
    assert!(log.contains("Client nth-1 disconnected"), "no good-bye: {log}");
}

#[tokio::test]
async fn the_will_of_a_connection_that_was_replaced_is_not_published() {
    let mut stage = Stage::new().await;
    stage.renew(&stage.authority);
    stage.reload.notify_one();
    stage.is_replaced().await;
    stage.broker.logs(|log| log.contains("Client nth-1 ")).await;
    // It would be retained, so the new connection would have got it when it subscribed.
    stage.still_works().await;
}

#[tokio::test]
async fn renewed_files_are_noticed_without_a_signal() {
    let mut stage = Stage::new().await;
    stage.renew(&stage.authority);
    tokio::time::pause();
    tokio::time::advance(LOOK).await;
    tokio::time::resume();
    stage.is_replaced().await;
}

#[tokio::test]
async fn files_that_do_not_work_leave_the_connection_alone_and_are_tried_again_when_they_change() {
    let mut stage = Stage::new().await;
    // Half a renewal: the new key with the old certificate.
    let old = fs::read(stage.at("edge-7a.pem")).unwrap();
    stage.renew(&stage.authority);
    fs::write(stage.at("edge-7a.pem"), old).unwrap();
    stage.reload.notify_one();
    stage.still_works().await;

    // A pair that the broker refuses.
    stage.renew(&Authority::new());
    stage.reload.notify_one();
    let refused = |log: &str| log.contains("alert") || log.contains("error");
    stage.broker.logs(refused).await;
    stage.still_works().await;

    stage.renew(&stage.authority);
    stage.reload.notify_one();
    stage.is_replaced().await;
    stage.still_works().await;
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_a_renewal_comes_back_with_what_worked() {
    let mut stage = Stage::new().await;
    for spoil in [half as fn(&Path), torn, removed] {
        spoil(stage.dir.path());
        stage.broker.kill();
        assert_eq!(stage.link.next().await, Event::Down);
        stage.broker.restart().await;
        assert!(matches!(stage.link.next().await, Event::Up { .. }));
    }
}

fn half(dir: &Path) {
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Authority::new().issue(elsewhere.path(), "edge-7a");
    fs::copy(other.key, dir.join("edge-7a.key")).unwrap();
}

fn torn(dir: &Path) {
    fs::write(dir.join("edge-7a.pem"), "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
}

fn removed(dir: &Path) {
    fs::remove_file(dir.join("edge-7a.pem")).unwrap();
}

#[tokio::test]
async fn what_was_turned_down_is_tried_again_when_somebody_asks_without_a_connection() {
    let dir = tempfile::tempdir().unwrap();
    let files = Authority::new().issue(dir.path(), "edge-7a");
    let config = secure(1, files.clone());
    let reload = Arc::clone(&config.reload);
    let (mut link, _events, _handle) = connect(config);
    let credentials = link.credentials.as_mut().unwrap();
    credentials.worked(loaded(&files));
    let renewed = loaded(&Authority::new().issue(dir.path(), "edge-7a"));
    credentials.failed(&renewed, &Ended::Refused(Reason::NOT_AUTHORIZED));
    credentials.failed(&loaded(&files), &Ended::Closed);
    assert_ne!(credentials.choose().unwrap().fingerprint, renewed.fingerprint);

    reload.notify_one();
    let rest = tokio::time::sleep(Duration::from_millis(10));
    link.offline(pin!(pending()), rest).await.unwrap();
    let chosen = link.credentials.as_mut().unwrap().choose().unwrap();
    assert_eq!(chosen.fingerprint, renewed.fingerprint);
}
