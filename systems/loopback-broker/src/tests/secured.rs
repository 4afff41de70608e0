//! Mutual TLS: a client is who its certificate says, or nobody.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::{StartError, Tls};

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().into();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if !name.is_empty() {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().into();
        Identity { certificate, key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
    }
}

async fn secured(authority: &Authority, access: &str) -> Broker {
    let server = authority.issue("broker");
    let tls = Tls {
        authorities: vec![authority.certificate.clone()],
        chain: vec![server.certificate],
        key: server.key,
    };
    Broker::start(Options::mutual_tls(Access::parse(access).unwrap(), tls)).await.unwrap()
}

fn client(
    authority: &Authority,
    identity: Option<Identity>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match identity {
        Some(identity) => {
            config.with_client_auth_cert(vec![identity.certificate], identity.key).unwrap()
        }
        None => config.with_no_client_auth(),
    })
}

fn server_name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// Connects over TLS and sends CONNECT as `user`; the client once it is answered, or how it failed.
async fn join(
    broker: &Broker,
    config: Arc<ClientConfig>,
    user: &str,
) -> Result<Raw<TlsStream<TcpStream>>, io::Error> {
    let stream = TcpStream::connect(broker.address()).await?;
    let stream = TlsConnector::from(config).connect(server_name(), stream).await?;
    let mut raw = Raw::over(stream);
    let mut bytes = BytesMut::new();
    connect(user, 0, None).write(&mut bytes, None).unwrap();
    raw.stream.write_all(&bytes).await?;
    raw.stream.flush().await?;
    // In TLS 1.3 a client learns of its refusal only when it reads.
    match raw.receive().await {
        Ok(Packet::ConnAck(_)) => Ok(raw),
        Ok(other) => panic!("{other:?} instead of CONNACK"),
        Err(error) => Err(io::Error::other(error)),
    }
}

#[tokio::test]
async fn the_common_name_decides_and_the_user_name_does_not() {
    let authority = Authority::new();
    let list = "user edge-7\ntopic write seven\nuser edge-8\ntopic write eight\n";
    let broker = secured(&authority, list).await;
    let config = client(&authority, Some(authority.issue("edge-7")), &TLS13);
    let mut raw = join(&broker, config, "edge-8").await.unwrap();

    for (topic, expected) in
        [("seven", PubAckReason::NoMatchingSubscribers), ("eight", PubAckReason::NotAuthorized)]
    {
        raw.send(publish(topic, "x", QoS::AtLeastOnce)).await;
        let Ok(Packet::PubAck(ack)) = raw.receive().await else { panic!("no PUBACK") };
        assert_eq!(ack.reason, expected, "{topic}");
    }
}

#[tokio::test]
async fn strangers_are_refused() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let broker = secured(&authority, "pattern readwrite #").await;

    let strangers = [
        ("of another authority", Some(stranger.issue("edge-7")), &TLS13),
        ("without a certificate", None, &TLS13),
        ("without a name", Some(authority.issue("")), &TLS13),
        ("with an old TLS", Some(authority.issue("edge-7")), &TLS12),
    ];
    for (what, identity, version) in strangers {
        let config = client(&authority, identity, version);
        assert!(join(&broker, config, "edge-7").await.is_err(), "{what}");
    }
    assert_eq!(broker.counts().accepted, 0);

    let known = client(&authority, Some(authority.issue("edge-7")), &TLS13);
    assert!(join(&broker, known, "edge-7").await.is_ok());
}

#[tokio::test]
async fn a_cut_ends_a_handshake_that_hangs() {
    let authority = Authority::new();
    let broker = secured(&authority, "").await;
    let config = client(&authority, None, &TLS13);
    let mut hello = Vec::new();
    ClientConnection::new(config, server_name()).unwrap().write_tls(&mut hello).unwrap();
    let mut stream = TcpStream::connect(broker.address()).await.unwrap();
    stream.write_all(&hello).await.unwrap();
    // The broker has answered, so it is in the middle of it.
    assert!(in_time(stream.read_u8()).await.is_ok());

    broker.cut();
    let shorter_than_any_handshake_may_take = Duration::from_secs(5);
    let mut rest = Vec::new();
    let end = timeout(shorter_than_any_handshake_may_take, stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok());
}

#[tokio::test]
async fn tls_material_that_does_not_fit_is_an_error() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("broker"), authority.issue("broker"));
    let tls = Tls {
        authorities: vec![authority.certificate.clone()],
        chain: vec![one.certificate],
        key: other.key,
    };
    assert!(format!("{tls:?}").contains("redacted"));
    let started = Broker::start(Options::mutual_tls(Access::default(), tls)).await;
    assert!(matches!(started, Err(StartError::Tls(_))));
}
