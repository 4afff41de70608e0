//! What an operator may write, and what is said about everything else.

mod places;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;

const REQUIRED: &str = "account = '0193a5d4-0000-7000-8000-000000000001'
group = 'plant-7'
gateway = 'edge-7a'
";

/// A folder with a configuration and the files that it names.
struct Folder(TempDir);

impl Folder {
    fn new(text: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("agent.toml", text);
        for public in ["keyset", "ca.pem", "client.pem"] {
            folder.write(public, "public");
        }
        for secret in ["gateway.key", "client.key"] {
            folder.write(secret, "secret");
            folder.mode(secret, 0o600);
        }
        folder
    }

    /// With everything that is required, so that only `text` can be wrong.
    fn complete(text: &str) -> Self {
        Self::new(&format!(
            "{REQUIRED}key_set = 'keyset'\ngateway_key = 'gateway.key'\n{text}\n\
             [broker]\nurl = 'mqtts://broker.example'\nca_file = 'ca.pem'\n\
             client_certificate_file = 'client.pem'\nclient_key_file = 'client.key'\n"
        ))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<Config, BadConfig> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(&self.path("agent.toml"), env)
    }

    /// Returns the mistakes with the folder cut off.
    fn mistakes(&self, env: &[(&str, &str)]) -> Vec<String> {
        let folder = format!("{}/", self.0.path().display());
        let bad = self.load(env).unwrap_err();
        bad.mistakes().iter().map(|mistake| mistake.to_string().replace(&folder, "")).collect()
    }
}

#[test]
fn what_may_be_left_out_has_a_default() {
    let config = Folder::complete("").load(&[]).unwrap();

    assert_eq!(config.account.to_string(), "0193a5d4-0000-7000-8000-000000000001");
    assert_eq!(config.group.as_str(), "plant-7");
    assert_eq!(config.gateway.as_str(), "edge-7a");
    assert_eq!(config.state_dir, Path::new("/var/lib/gateward"));
    assert_eq!(config.shutdown_grace, Duration::from_secs(10));
    assert_eq!(config.broker.url.to_string(), "mqtts://broker.example:8883");
    assert_eq!(config.broker.protocol, Protocol::Auto);
    assert_eq!(config.broker.keep_alive, Duration::from_secs(30));
    assert_eq!(config.broker.max_payload_bytes, 131_072);
    assert_eq!(config.api.socket, Path::new("/run/gateward/api.sock"));
    assert_eq!(config.api.admin_socket, Path::new("/run/gateward/admin.sock"));
    assert_eq!(config.api.listen, None);
    assert_eq!(config.api.trusted_peers, []);
    assert_eq!(config.limits.allow_per_s, 200);
    assert_eq!(config.limits.failed_per_s, 50);
    assert_eq!(config.limits.connections, 256);
    assert_eq!(config.limits.header_timeout, Duration::from_secs(2));
    assert_eq!(config.decision.mode, Mode::Enforce);
    assert!(!config.decision.strict_division);
    assert_eq!(config.decision.item_without_division, ItemWithoutDivision::Allow);
    assert_eq!(config.audit.durability, Durability::Group);
    assert_eq!(config.audit.flush, Duration::from_millis(50));
    assert_eq!(config.audit.max_bytes, 536_870_912);
    assert_eq!(config.audit.when_full, WhenFull::Deny);
    assert_eq!(config.metrics.listen, None);
}

#[test]
fn every_setting_can_be_set() {
    let folder = Folder::new(&format!(
        "{REQUIRED}state_dir = '/srv/state'\nkey_set = 'keyset'\ngateway_key = 'gateway.key'\n\
         shutdown_grace_s = 60\n[broker]\nurl = 'mqtts://[::1]:1'\nca_file = 'ca.pem'\n\
         client_certificate_file = 'client.pem'\nclient_key_file = 'client.key'\n\
         protocol = '3.1.1'\nkeep_alive_s = 1\nmax_payload_bytes = 8_192\n[api]\nsocket = 'a.sock'\n\
         admin_socket = '/b.sock'\nlisten = '[::1]:8470'\n\
         trusted_peers = ['uid:0', '127.0.0.1']\n[limits]\nallow_per_s = 1\nfailed_per_s = 2\n\
         connections = 3\nheader_timeout_ms = 100\n[decision]\nmode = 'observe'\n\
         strict_division = true\nitem_without_division = 'deny'\n[audit]\n\
         durability = 'interval'\nflush_ms = 1\nmax_bytes = 0x100000\nwhen_full = 'drop_oldest'\n\
         [metrics]\nlisten = '127.0.0.2:9464'\n"
    ));
    let config = folder.load(&[]).unwrap();

    assert_eq!(config.state_dir, Path::new("/srv/state"));
    assert_eq!(config.key_set, folder.path("keyset"));
    assert_eq!(config.gateway_key, folder.path("gateway.key"));
    assert_eq!(config.shutdown_grace, Duration::from_secs(60));
    assert_eq!(config.broker.url.to_string(), "mqtts://[::1]:1");
    assert_eq!(config.broker.protocol, Protocol::V311);
    let tls = config.broker.tls.unwrap();
    assert_eq!(tls.ca, folder.path("ca.pem"));
    assert_eq!(tls.certificate, folder.path("client.pem"));
    assert_eq!(tls.key, folder.path("client.key"));
    assert_eq!(config.broker.keep_alive, Duration::from_secs(1));
    assert_eq!(config.broker.max_payload_bytes, 8_192);
    assert_eq!(config.api.socket, folder.path("a.sock"));
    assert_eq!(config.api.admin_socket, Path::new("/b.sock"));
    assert_eq!(config.api.listen, Some("[::1]:8470".parse().unwrap()));
    let proxy = Peer::Address("127.0.0.1".parse().unwrap());
    assert_eq!(config.api.trusted_peers, [Peer::Uid(0), proxy]);
    assert_eq!(config.limits.allow_per_s, 1);
    assert_eq!(config.limits.failed_per_s, 2);
    assert_eq!(config.limits.connections, 3);
    assert_eq!(config.limits.header_timeout, Duration::from_millis(100));
    assert_eq!(config.decision.mode, Mode::Observe);
    assert!(config.decision.strict_division);
    assert_eq!(config.decision.item_without_division, ItemWithoutDivision::Deny);
    assert_eq!(config.audit.durability, Durability::Interval);
    assert_eq!(config.audit.flush, Duration::from_millis(1));
    assert_eq!(config.audit.max_bytes, 1_048_576);
    assert_eq!(config.audit.when_full, WhenFull::DropOldest);
    assert_eq!(config.metrics.listen, Some("127.0.0.2:9464".parse().unwrap()));
}

#[test]
fn every_mistake_is_reported_at_once_with_place_and_remedy() {
    let folder = Folder::new(
        "account = 'not a uuid'\ngroup = 'gateway'\nstate_dir = 'relative'\ncolour = 'red'\n\
         key_set = 'nowhere'\ngateway_key = 'gateway.key'\n[broker]\n\
         url = 'mqtt://broker.example'\n  keep_alive_s = 0\nbrokre = 1\nca_file = 'ca.pem'\n\
         client_certificate_file = '.'\nclient_key_file = 'client.key'\n[decision]\n\
         mode = 'maybe'\n",
    );
    folder.mode("client.key", 0o644);
    folder.mode("gateway.key", 0o640);
    let key = folder.path("client.key").display().to_string();
    let mistakes = folder.mistakes(&[("GATEWARD__AUDIT__FLUSH_MS", "soon")]);

    let want = [
        "agent.toml: `gateway` is missing: name this gateway",
        "agent.toml:1:1: `account` is `not a uuid`: write the UUID of the account",
        "agent.toml:2:1: `group` is `gateway`: choose another name",
        "agent.toml:3:1: `state_dir` is `relative`: write an absolute path",
        "agent.toml:4:1: `colour` is not a setting: at the top there are `account`, `group`",
        "agent.toml:5:1: `key_set` is `nowhere`: no such file",
        "agent.toml:6:1: `gateway_key` is `gateway.key`: its mode is 0640, so others can get at \
         this secret: run `chmod 600 gateway.key`",
        "agent.toml:8:1: `broker.url` is `mqtt://broker.example`: write `mqtts://`",
        "agent.toml:9:3: `broker.keep_alive_s` is `0`: write a whole number from 1 to 3600: a \
         dead connection",
        "agent.toml:10:1: `broker.brokre` is not a setting: `[broker]` has `url`, `ca_file`",
        "agent.toml:12:1: `broker.client_certificate_file` is ",
        "agent.toml:13:1: `broker.client_key_file` is `client.key`: its mode is 0644",
        "agent.toml:15:1: `decision.mode` is `maybe`: write \"enforce\" or \"observe\"",
        "environment variable GATEWARD__AUDIT__FLUSH_MS: `audit.flush_ms` is `soon`: write a \
         whole number from 1 to 10000: with `interval` a power cut loses this much",
    ];
    assert_eq!(mistakes.len(), want.len(), "{mistakes:#?}");
    for (mistake, want) in mistakes.iter().zip(want) {
        assert!(mistake.starts_with(want), "{mistake}\ndoes not begin with\n{want}");
    }
    assert!(folder.load(&[]).unwrap_err().to_string().contains(&format!("`chmod 600 {key}`")));
}

#[test]
fn each_value_out_of_range_is_refused_with_its_range() {
    for (text, want) in [
        ("shutdown_grace_s = 61", "from 1 to 60: systemd"),
        ("shutdown_grace_s = -1", "`-1`: write a whole number from 1"),
        ("shutdown_grace_s = '5'", "`5`: write a whole number"),
        ("shutdown_grace_s = 5.0", "write a whole number"),
        ("shutdown_grace_s = 99999999999999999999", "write a whole number"),
        ("shutdown_grace_s = [5]", "`[5]`: write a whole number"),
        ("state_dir = 7", "`7`: write it as text, in quotes"),
        ("state_dir = '/dev/null'", "this is no folder"),
        ("limits.allow_per_s = 0", "from 1 to 100000"),
        ("limits.failed_per_s = 100001", "from 1 to 100000"),
        ("limits.connections = 10001", "from 1 to 10000"),
        ("limits.header_timeout_ms = 99", "from 100 to 60000"),
        ("audit.flush_ms = 10001", "from 1 to 10000"),
        ("audit.max_bytes = 1048575", "from 1048576 to 1099511627776"),
        ("audit.durability = 'none'", "write \"group\" or \"interval\""),
        ("audit.when_full = 'drop'", "write \"deny\" or \"drop_oldest\""),
        ("decision.strict_division = 'true'", "write `true` or `false`, without quotes"),
        ("decision.item_without_division = 'All'", "write \"allow\" or \"deny\""),
        ("api.listen = '0.0.0.0:8470'", "write a loopback address"),
        ("api.listen = '[::]:8470'", "write a loopback address"),
        ("api.listen = 'localhost:8470'", "write an address and a port"),
        ("api.listen = '127.0.0.1:0'", "write a port from 1 to 65535"),
        ("metrics.listen = '10.0.0.1:1'", "write a loopback address"),
        ("api.socket = '/run/gateward/admin.sock'", "a socket each"),
        ("api.socket = ''", "write the path"),
        ("api.trusted_peers = 'uid:0'", "write a list"),
        ("api.trusted_peers = [0]", "write a list"),
        ("api.trusted_peers = ['uid:no such user']", "no such user in /etc/passwd"),
        ("api.trusted_peers = ['10.0.0.0/8']", "write `uid:NAME`, `uid:NUMBER` or an address"),
    ] {
        let mistakes = Folder::complete(text).mistakes(&[]);
        assert_eq!(mistakes.len(), 1, "{text}: {mistakes:#?}");
        assert!(mistakes[0].contains(want), "{text}: {}", mistakes[0]);
        // The socket that is named twice is reported where its double is.
        let place = if want == "a socket each" { "agent.toml: " } else { "agent.toml:6:" };
        assert!(mistakes[0].starts_with(place), "{text}: {}", mistakes[0]);
    }
}

#[test]
fn several_brokers_are_a_list_and_every_one_that_is_wrong_is_named() {
    let folder = Folder::complete("");
    let set = |urls| [("GATEWARD__BROKER__URL", urls)];
    let config = folder.load(&set("mqtts://a.example, mqtts://b.example:1")).unwrap();
    assert_eq!(config.broker.url.to_string(), "mqtts://a.example:8883, mqtts://b.example:1");
    folder.write("agent.d/1.toml", "broker.url = ['mqtt://127.0.0.1', 'mqtts://[::1]']");
    let config = folder.load(&[]).unwrap();
    assert_eq!(config.broker.url.to_string(), "mqtt://127.0.0.1:1883, mqtts://[::1]:8883");
    assert!(config.broker.tls.is_some(), "one of them is reached inside TLS");

    let mistakes = folder.mistakes(&set("mqtts://a, http://b, mqtt://c.example"));
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes.iter().any(|text| text.contains("`http://b`: write `mqtts://host:port`")));
    assert!(mistakes.iter().any(|text| text.contains("`mqtt://c.example`: write `mqtts://`")));
    for (text, shown) in [("[]", "[]"), ("['mqtts://a', 7]", "7"), ("7", "7")] {
        folder.write("agent.d/1.toml", &format!("broker.url = {text}"));
        let mistakes = folder.mistakes(&[]);
        let want = format!("agent.d/1.toml:1:8: `broker.url` is `{shown}`: write where");
        assert!(mistakes.len() == 1 && mistakes[0].starts_with(&want), "{mistakes:?}");
    }
    assert_eq!(folder.mistakes(&set(" ")).len(), 1);
}

#[test]
fn a_version_of_the_protocol_that_is_not_spoken_is_refused() {
    let set = |version| [("GATEWARD__BROKER__PROTOCOL", version)];
    let mistakes = Folder::complete("").mistakes(&set("4"));
    let want = "`broker.protocol` is `4`: write \"auto\" or \"5\" or \"3.1.1\"";
    assert!(mistakes.len() == 1 && mistakes[0].ends_with(want), "{mistakes:?}");
    let config = Folder::complete("").load(&set("5")).unwrap();
    assert_eq!(config.broker.protocol, Protocol::V5);
}

#[test]
fn a_socket_path_that_the_system_would_cut_is_refused() {
    let long = format!("api.socket = '/{}'", "s".repeat(107));
    assert!(Folder::complete(&long).mistakes(&[])[0].contains("at most 107"));
    let fits = format!("api.socket = '/{}'", "s".repeat(106));
    assert!(Folder::complete(&fits).load(&[]).is_ok());
}

#[test]
fn the_same_address_twice_is_refused() {
    let text = "api.listen = '127.0.0.1:1'\nmetrics.listen = '127.0.0.1:1'";
    assert!(Folder::complete(text).mistakes(&[])[0].contains("choose another port"));
}

#[test]
fn what_is_not_a_setting_is_an_error_not_a_default() {
    for (text, want) in [
        ("brokr.url = 'x'", "`brokr.url` is not a setting: at the top there are"),
        ("nothing = {}", "`nothing` is not a setting"),
        ("\"audit.flush_ms\" = 5", "`\\\"audit.flush_ms\\\"` is not a setting"),
        ("audit = 5", "`audit` is not a setting: it is a section; write `[audit]`"),
        ("audit.flush_ms.value = 5", "`audit.flush_ms` is `{…}`"),
    ] {
        let mistakes = Folder::complete(text).mistakes(&[]);
        assert!(mistakes.iter().any(|mistake| mistake.contains(want)), "{text}: {mistakes:#?}");
    }
    for name in ["GATEWARD__COLOUR", "GATEWARD__BROKER_URL", "GATEWARD__broker__url", "GATEWARD__"]
    {
        let mistakes = Folder::complete("").mistakes(&[(name, "mqtts://other.example")]);
        assert_eq!(mistakes.len(), 1, "{name}: {mistakes:#?}");
        assert!(mistakes[0].starts_with(&format!("environment variable {name}: ")), "{mistakes:?}");
        assert!(mistakes[0].contains("is not a setting"), "{mistakes:?}");
    }
}

#[test]
fn text_that_is_not_toml_is_reported_with_the_other_mistakes() {
    let folder = Folder::complete("shutdown_grace_s = 0\nlimits.connections = = 3");
    let mistakes = folder.mistakes(&[]);

    assert!(mistakes[0].starts_with("agent.toml:6:1: `shutdown_grace_s` is `0`"), "{mistakes:#?}");
    assert!(mistakes[1].starts_with("agent.toml:7:"), "{mistakes:#?}");
    assert!(mistakes.iter().all(|mistake| !mistake.contains("missing")), "{mistakes:#?}");
}

#[test]
fn a_setting_given_twice_is_refused() {
    let mistakes = Folder::complete("shutdown_grace_s = 1\nshutdown_grace_s = 2").mistakes(&[]);
    assert!(mistakes[0].starts_with("agent.toml:7:1: duplicate key"), "{mistakes:#?}");
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_refused() {
    let folder = Folder::complete("");
    folder.write("agent.d/10-bad.toml", "");
    fs::write(folder.path("agent.d/10-bad.toml"), b"group = '\xff'").unwrap();
    assert!(folder.mistakes(&[])[0].starts_with("agent.d/10-bad.toml: cannot be read"));

    fs::remove_file(folder.path("agent.toml")).unwrap();
    assert!(folder.mistakes(&[])[0].starts_with("agent.toml: "));
    let large = Folder::complete(&format!("# {}", "x".repeat(1024 * 1024)));
    assert!(large.mistakes(&[])[0].contains("more than 1 MiB"));
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    for url in [
        "mqtts://user:hunter2@broker.example",
        "http://hunter2@broker.example",
        "user:hunter2@broker.example",
    ] {
        let mistakes = Folder::complete("").mistakes(&[("GATEWARD__BROKER__URL", url)]);
        assert!(mistakes[0].contains("…@broker.example"), "{mistakes:?}");
        assert!(!mistakes[0].contains("hunter2"), "{mistakes:?}");
    }
}

#[test]
fn a_mistake_is_one_line_whatever_was_written() {
    let text = format!("state_dir = \"a\\nb\\u001b{}\"", "x".repeat(500));
    let mistakes = Folder::complete(&text).mistakes(&[]);

    assert!(mistakes[0].contains("`a\\nb\\u{1b}x"), "{mistakes:?}");
    assert!(mistakes[0].len() < 300, "{mistakes:?}");
}

/// The commented file that is installed says what the program does: with every default written
/// out, nothing changes.
#[test]
fn the_installed_file_shows_every_setting_and_its_default() {
    let installed = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../systems/gateway/agent.toml"),
    )
    .unwrap();
    let is_setting = |line: &str| {
        let key = line.split_once(" = ").map_or("", |(key, _)| key);
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let uncommented = installed
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| is_setting(rest)).unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n");
    let plain = check_text(&installed).0;
    let (mut spelled, unset) = check_text(&uncommented);

    assert_eq!(unset, [""; 0], "not shown in the file");
    assert_eq!(spelled.api.listen, Some("127.0.0.1:8470".parse().unwrap()));
    assert_eq!(spelled.metrics.listen, Some("127.0.0.1:9464".parse().unwrap()));
    spelled.api.listen = None;
    spelled.metrics.listen = None;
    assert_eq!(spelled, plain);
}

/// Checks `text` but for the files that it names, and returns what it leaves unset.
fn check_text(text: &str) -> (Config, Vec<&'static str>) {
    let folder = Folder::new(text);
    let path = folder.path("agent.toml");
    let mut settings = Settings::new(&path);
    text::read(&path, &mut settings);
    let config = check::check(&mut settings, &Places::new(&path, &[])).unwrap();
    let unset = settings.unset();

    // That files of a gateway are not on this machine is no mistake of the text.
    let mistakes = settings.finish(Some(())).err().map_or(Vec::new(), |bad| bad.0);
    let other = |mistake: &Mistake| !mistake.to_string().contains("/etc/gateward/");
    assert_eq!(mistakes.into_iter().filter(other).collect::<Vec<_>>(), []);
    (config, unset)
}
