use std::os::unix::fs::PermissionsExt as _;

use gateward_agent::config::Config;
use gateward_agent::link::TlsFiles;
use gateward_core::trust::KeySet;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::keys::{self, NewAccount};
use crate::testing::NOW;

struct Folder {
    dir: TempDir,
    out: PathBuf,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let policy = dir.path().join("acme");
        let name = "Acme".to_owned();
        keys::init(&NewAccount { dir: policy, name, roots: None, now_ms: NOW.0 * 1000 }).unwrap();
        let out = dir.path().join("edge-1");

        Self { dir, out }
    }

    fn policy(&self) -> PathBuf {
        self.dir.path().join("acme")
    }

    fn enroll(&self, gateway: &str, request: Option<&str>) -> Result<Enrolled, NotEnrolled> {
        enroll(&Enrolment { gateway, request, ..self.enrolment(&self.policy()) })
    }

    fn enrolment<'a>(&'a self, dir: &'a Path) -> Enrolment<'a> {
        Enrolment {
            dir,
            gateway: "edge-1",
            group: "plant-1",
            out: &self.out,
            broker: Some("mqtts://127.0.0.1:8883"),
            request: None,
            now: NOW,
        }
    }
}

#[test]
fn what_a_gateway_is_given_is_a_whole_configuration_that_its_agent_takes() {
    let folder = Folder::new();
    let enrolled = folder.enroll("edge-1", None).unwrap();
    let config = Config::load(&folder.out.join("agent.toml"), std::iter::empty()).unwrap();
    let account = config.account;

    assert_eq!((config.gateway.as_str(), config.group.as_str()), ("edge-1", "plant-1"));
    assert_eq!(config.broker.url.to_string(), "mqtts://127.0.0.1:8883");
    TlsFiles::from(config.broker.tls.unwrap()).check().unwrap();
    assert!(KeySet::anchor(&fs::read(config.key_set).unwrap(), account).is_ok());
    let identity = Identity::load(&config.gateway_key).unwrap();
    assert_eq!(identity.incarnation, enrolled.incarnation);
    let remembered = Enrolled::load(&folder.policy(), "edge-1").unwrap();
    assert_eq!(remembered.key, identity.key.verifying_key());
    assert_eq!(remembered.audit.expose(), identity.audit.expose());
    assert_eq!(Enrolled::all(&folder.policy()).unwrap().len(), 1);
    let lines = fs::read_to_string(folder.out.join(ACCESS)).unwrap();
    assert_eq!(Some(lines), access::gateway(account, "plant-1", "edge-1"));
}

#[test]
fn secrets_of_a_gateway_are_for_their_owner_only() {
    let folder = Folder::new();
    folder.enroll("edge-1", None).unwrap();
    let record = Enrolled::path(&folder.policy(), "edge-1");
    for path in [folder.out.join("gateway.key"), folder.out.join(KEY), record.clone()] {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }

    fs::set_permissions(&record, fs::Permissions::from_mode(0o604)).unwrap();
    let error = Enrolled::all(&folder.policy()).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

#[test]
fn n9_debug_shows_no_secret_of_a_gateway() {
    let folder = Folder::new();
    let enrolled = folder.enroll("edge-1", None).unwrap();
    let shown = format!("{enrolled:?}");

    assert!(shown.contains("edge-1") && !shown.contains("audit"), "{shown}");
}

#[test]
fn a_gateway_that_the_policy_does_not_list_is_told_the_line_to_add() {
    let folder = Folder::new();
    let error = folder.enroll("edge-2", None).unwrap_err().to_string();
    assert!(error.contains(r#"gateways = ["edge-1", "edge-2"]"#), "{error}");
    let policy = folder.policy();
    let error = enroll(&Enrolment { group: "plant-9", ..folder.enrolment(&policy) }).unwrap_err();
    assert!(error.to_string().contains("the groups are plant-1"), "{error}");

    assert!(!folder.out.exists());
}

#[test]
fn no_gateway_can_have_the_name_of_the_control_plane() {
    let folder = Folder::new();
    let path = folder.policy().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap().replace("\"edge-1\"", "\"control\"");
    fs::write(&path, text).unwrap();

    assert!(matches!(folder.enroll("control", None), Err(NotEnrolled::Reserved(_))));
}

#[test]
fn a_second_enrolment_is_refused_and_a_renewal_changes_the_certificate_only() {
    let folder = Folder::new();
    let dir = folder.policy();
    let renewal = folder.enrolment(&dir);
    assert!(matches!(renew(&renewal), Err(NotEnrolled::NotYet(_))));
    folder.enroll("edge-1", None).unwrap();
    assert!(matches!(folder.enroll("edge-1", None), Err(NotEnrolled::Already { .. })));

    let read = |name: &str| fs::read(folder.out.join(name)).unwrap();
    let (key, certificate) = (read("gateway.key"), read(CERTIFICATE));
    renew(&renewal).unwrap();
    assert_eq!(read("gateway.key"), key);
    assert_ne!(read(CERTIFICATE), certificate);
}

#[test]
fn a_request_decides_about_its_key_and_about_nothing_else() {
    let folder = Folder::new();
    let key = KeyPair::generate().unwrap();
    let greedy = CertificateParams::new(["broker.example".to_owned()]).unwrap();
    let request = greedy.serialize_request(&key).unwrap().pem().unwrap();
    folder.enroll("edge-1", Some(&request)).unwrap();
    let certificate = fs::read_to_string(folder.out.join(CERTIFICATE)).unwrap();
    assert!(!folder.out.join(KEY).exists());
    fs::write(folder.out.join(KEY), key.serialize_pem()).unwrap();
    let files = TlsFiles {
        ca: folder.out.join("ca.pem"),
        cert: folder.out.join(CERTIFICATE),
        key: folder.out.join(KEY),
    };
    files.check().unwrap();

    let der = rcgen_der(&certificate);
    let contains = |text: &str| der.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(contains("edge-1") && !contains("broker.example"));
    assert!(folder.enroll("edge-1", Some("nonsense")).is_err());
}

/// The bytes between the lines of a PEM text.
fn rcgen_der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => 0,
    };
    let bytes = body.as_bytes().chunks(4).flat_map(|four| {
        let bits = four.iter().fold(0, |bits, byte| bits << 6 | value(*byte));
        bits.to_be_bytes().into_iter().skip(1)
    });

    bytes.collect()
}
