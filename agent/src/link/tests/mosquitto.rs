//! A real mosquitto in the foreground, on a port of its own; gone when dropped.

use core::time::Duration;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::link::TlsFiles;

pub(super) struct Mosquitto {
    dir: TempDir,
    port: u16,
    running: Option<Child>,
}

impl Mosquitto {
    /// Starts one that lets anybody in, with `more` lines of configuration.
    pub(super) async fn plain(more: &str) -> Self {
        Self::start(tempfile::tempdir().unwrap(), &format!("allow_anonymous true\n{more}")).await
    }

    /// Starts one that wants certificates of `authority` and obeys `access`.
    pub(super) async fn tls(authority: &Authority, access: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = authority.issue(dir.path(), "localhost");
        fs::write(dir.path().join("acl"), access).unwrap();
        let lines = format!(
            "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n\
             use_identity_as_username true\ntls_version tlsv1.3\nacl_file {}\n",
            files.ca.display(),
            files.cert.display(),
            files.key.display(),
            dir.path().join("acl").display(),
        );
        Self::start(dir, &lines).await
    }

    async fn start(dir: TempDir, lines: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "user root\npersistence false\nlistener {port} 127.0.0.1\nset_tcp_nodelay true\n{lines}"
        );
        fs::write(dir.path().join("mosquitto.conf"), text).unwrap();
        let mut broker = Self { dir, port, running: None };
        broker.restart().await;
        broker
    }

    /// Starts it again after [`kill`](Self::kill), on the same port.
    pub(super) async fn restart(&mut self) {
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .expect("these tests need mosquitto: `apt-get install mosquitto`");
        let log = fs::File::create(self.dir.path().join("log")).unwrap();
        let child = Command::new(program)
            .arg("-c")
            .arg(self.dir.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running = Some(child);
        let ready = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = timeout(Duration::from_secs(10), ready).await;
        assert!(in_time.is_ok(), "{}", fs::read_to_string(self.dir.path().join("log")).unwrap());
    }

    /// What it has logged since its last start.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Waits until it has logged something that `seen` looks for.
    pub(super) async fn logs(&self, seen: impl Fn(&str) -> bool) {
        let looking = async {
            while !seen(&self.log()) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(super::SOON, looking).await.is_ok(), "{}", self.log());
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it from doing anything, with its sockets open.
    pub(super) fn freeze(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
    }

    pub(super) fn thaw(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(self.running.as_ref().expect("it runs"))
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A throw-away authority.
pub(in crate::link) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(in crate::link) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let pem = params.self_signed(&key).unwrap().pem();

        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Writes a certificate for `name`, valid from 2020 to 2040, into `dir`.
    pub(in crate::link) fn issue(&self, dir: &Path, name: &str) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let write = |leaf: &str, text: String| -> PathBuf {
            let path = dir.join(leaf);
            fs::write(&path, text).unwrap();
            path
        };

        TlsFiles {
            ca: write("ca.pem", self.pem.clone()),
            cert: write(&format!("{name}.pem"), cert.pem()),
            key: write(&format!("{name}.key"), key.serialize_pem()),
        }
    }
}
