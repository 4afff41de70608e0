//! Asks for every setting; this file is the list of them.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::PathBuf;

use gateward_core::name::Uuid;

use super::files::{self, Kind, Places};
use super::settings::Settings;
use super::{
    Api, Audit, Broker, BrokerUrl, Brokers, Config, Decision, Durability, ItemWithoutDivision,
    Limits, Metrics, Mode, Peer, Protocol, TlsFiles, TopicName, WhenFull,
};

/// Makes the configuration of what is set; mistakes are noted in `settings`.
pub(super) fn check(settings: &mut Settings, places: &Places) -> Option<Config> {
    let account = settings.required("account", "write the account's id, a UUID", |text| {
        Uuid::parse(text).ok_or("write the UUID of the account, as `gateward-control` shows it")
    });
    let group = settings.required("group", "name this gateway's group", TopicName::group);
    let gateway = settings.required("gateway", "name this gateway", TopicName::gateway);
    let state_dir = state_dir(settings, places);
    let key_set = file(settings, places, "key_set", "keyset", Some(Kind::Public));
    let gateway_key = file(settings, places, "gateway_key", "gateway.key", Some(Kind::Secret));
    let shutdown_grace = Duration::from_secs(settings.whole(
        "shutdown_grace_s",
        10,
        &(1..=60),
        "systemd ends the agent after 90 seconds",
    ));
    let broker = broker(settings, places);
    let api = api(settings, places);
    let limits = limits(settings);
    let decision = decision(settings);
    let audit = audit(settings);
    let metrics = metrics(settings, api.listen);

    Some(Config {
        account: account?,
        group: group?,
        gateway: gateway?,
        state_dir,
        key_set,
        gateway_key,
        shutdown_grace,
        broker: broker?,
        api,
        limits,
        decision,
        audit,
        metrics,
    })
}

fn state_dir(settings: &mut Settings, places: &Places) -> PathBuf {
    let state_dir = settings.text("state_dir", |text| {
        let path = PathBuf::from(text);
        if !path.is_absolute() {
            return Err("write an absolute path: what is kept there must be found again");
        }
        if path.exists() && !path.is_dir() {
            return Err("this is no folder: name one, or remove what is there");
        }
        Ok(path)
    });
    state_dir.unwrap_or_else(|| places.state_dir())
}

/// Asks for a file whose default is called `name`, and looks at it unless `kind` is none.
fn file(
    settings: &mut Settings,
    places: &Places,
    key: &'static str,
    name: &str,
    kind: Option<Kind>,
) -> PathBuf {
    let written = settings.text(key, |text| places.resolve(text));
    let path = match written {
        Some(path) => path,
        None if settings.is_set(key) => return PathBuf::new(),
        None => places.file(name),
    };
    let meant = settings.is_set(key) || settings.is_complete();
    if let Some(Err(why)) = kind.filter(|_| meant).map(|kind| places.look(&path, kind)) {
        settings.blame_value(key, &path.display().to_string(), &why.to_string());
    }
    path
}

fn broker(settings: &mut Settings, places: &Places) -> Option<Broker> {
    let url = settings.one_or_more(
        "broker.url",
        "write where the broker is, as `mqtts://host:port`, or a list of such texts",
        str::parse::<BrokerUrl>,
    );
    let url = url.and_then(Brokers::new);
    // Without TLS the files may be named, but need not be there.
    let looked = |kind| url.as_ref().is_none_or(Brokers::tls).then_some(kind);
    let mut file = |key, name, kind| file(settings, places, key, name, looked(kind));
    let files = TlsFiles {
        ca: file("broker.ca_file", "ca.pem", Kind::Public),
        certificate: file("broker.client_certificate_file", "client.pem", Kind::Public),
        key: file("broker.client_key_file", "client.key", Kind::Secret),
    };
    let protocol = settings.choice(
        "broker.protocol",
        ("auto", Protocol::Auto),
        [("5", Protocol::V5), ("3.1.1", Protocol::V311)],
    );
    let keep_alive = Duration::from_secs(settings.whole(
        "broker.keep_alive_s",
        30,
        &(1..=3600),
        "a dead connection is noticed after one and a half times this",
    ));
    let max_payload_bytes = settings.whole(
        "broker.max_payload_bytes",
        131_072,
        &(4_096..=16_777_216),
        "a manifest with its deltas has 4 KiB, a chunk 32 KiB by default, and brokers have limits",
    );

    let url = url?;
    let tls = url.tls().then_some(files);
    Some(Broker { url, protocol, tls, keep_alive, max_payload_bytes })
}

fn api(settings: &mut Settings, places: &Places) -> Api {
    let mut socket = |key, name| {
        let written = settings.text(key, |text| {
            let path = places.resolve(text).map_err(str::to_owned)?;
            files::socket(path)
        });
        written.unwrap_or_else(|| places.socket(name))
    };
    let api_socket = socket("api.socket", "api.sock");
    let admin_socket = socket("api.admin_socket", "admin.sock");
    if api_socket == admin_socket {
        let remedy = "it is `api.socket` too: operators and callers need a socket each";
        settings.blame_value("api.admin_socket", &admin_socket.display().to_string(), remedy);
    }
    let listen = settings.text("api.listen", loopback);
    let trusted_peers = settings.list("api.trusted_peers", Peer::parse);

    Api { socket: api_socket, admin_socket, listen, trusted_peers }
}

fn limits(settings: &mut Settings) -> Limits {
    Limits {
        allow_per_s: settings.whole(
            "limits.allow_per_s",
            200,
            &(1..=100_000),
            "each allow is a record on the disk",
        ),
        failed_per_s: settings.whole(
            "limits.failed_per_s",
            50,
            &(1..=100_000),
            "this is how fast one source may guess",
        ),
        connections: settings.whole(
            "limits.connections",
            256,
            &(1..=10_000),
            "each holds a descriptor and its buffers",
        ),
        header_timeout: Duration::from_millis(settings.whole(
            "limits.header_timeout_ms",
            2000,
            &(100..=60_000),
            "a caller that dawdles holds a connection",
        )),
    }
}

fn decision(settings: &mut Settings) -> Decision {
    Decision {
        mode: settings.choice(
            "decision.mode",
            ("enforce", Mode::Enforce),
            [("observe", Mode::Observe)],
        ),
        strict_division: settings.flag("decision.strict_division", false),
        item_without_division: settings.choice(
            "decision.item_without_division",
            ("allow", ItemWithoutDivision::Allow),
            [("deny", ItemWithoutDivision::Deny)],
        ),
    }
}

fn audit(settings: &mut Settings) -> Audit {
    Audit {
        durability: settings.choice(
            "audit.durability",
            ("group", Durability::Group),
            [("interval", Durability::Interval)],
        ),
        flush: Duration::from_millis(settings.whole(
            "audit.flush_ms",
            50,
            &(1..=10_000),
            "with `interval` a power cut loses this much",
        )),
        max_bytes: settings.whole(
            "audit.max_bytes",
            536_870_912,
            &(1_048_576..=1_099_511_627_776),
            "below 1 MiB it is full within minutes, above 1 TiB it is a typing error",
        ),
        when_full: settings.choice(
            "audit.when_full",
            ("deny", WhenFull::Deny),
            [("drop_oldest", WhenFull::DropOldest)],
        ),
    }
}

fn metrics(settings: &mut Settings, api: Option<SocketAddr>) -> Metrics {
    let listen = settings.text("metrics.listen", loopback);
    if listen.is_some() && listen == api {
        let got = listen.map(|address| address.to_string()).unwrap_or_default();
        settings.blame_value("metrics.listen", &got, "`api.listen` has it: choose another port");
    }
    Metrics { listen }
}

/// Reads an address that only this machine reaches.
fn loopback(text: &str) -> Result<SocketAddr, &'static str> {
    let address = text
        .parse::<SocketAddr>()
        .map_err(|_| "write an address and a port, such as `127.0.0.1:8470`")?;
    if !address.ip().to_canonical().is_loopback() {
        return Err("write a loopback address: a token must not cross a network in the clear");
    }
    if address.port() == 0 {
        return Err("write a port from 1 to 65535: callers must know it");
    }
    Ok(address)
}
