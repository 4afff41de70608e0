//! A message of 256 MiB, announced and sent: an agent takes its first bytes and hangs up.

use std::io::{Read, Write, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use gateward_tests::until;

use super::Siege;
use crate::hostile::events;

/// CONNACK of MQTT 5: no session, success, no properties.
const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];
/// PUBLISH, QoS 1, with the greatest length that MQTT can say: 256 MiB less one byte.
const PUBLISH: [u8; 5] = [0x32, 0xff, 0xff, 0xff, 0x7f];
const LENGTH: u64 = 268_435_455;

/// Stands before a broker, and may flood the next who connects.
struct Front {
    address: SocketAddr,
    floods: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
}

impl Front {
    fn before(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (floods, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let front = Self { address, floods: Arc::clone(&floods), sent: Arc::clone(&sent) };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if floods.swap(false, Ordering::SeqCst) {
                    sent.store(flood(client), Ordering::SeqCst);
                } else if let Ok(server) = TcpStream::connect(broker) {
                    pipe(&client, &server);
                    pipe(&server, &client);
                }
            }
        });

        front
    }
}

/// Returns how much was taken before the other side hung up.
fn flood(mut client: TcpStream) -> u64 {
    let mut first = [0; 1_024];
    let ready = client.read(&mut first).and_then(|_| client.write_all(&CONNACK));
    if ready.and_then(|()| client.write_all(&PUBLISH)).is_err() {
        return 0;
    }
    let piece = vec![0; 64 * 1024];
    let mut sent = 0;
    while sent < LENGTH {
        let most = usize::try_from(LENGTH - sent).unwrap_or(usize::MAX).min(piece.len());
        match client.write(&piece[..most]) {
            Ok(taken) if taken > 0 => sent += taken as u64,
            Ok(_) | Err(_) => break,
        }
    }

    sent.max(1)
}

/// Passes everything on until one side ends.
fn pipe(from: &TcpStream, to: &TcpStream) {
    let clone = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
    let (mut from, mut to) = (clone(from), clone(to));
    thread::spawn(move || {
        // However it ended, it has ended.
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}

#[test]
fn a_message_of_256_mib() {
    let front = std::cell::OnceCell::new();
    let mut siege = Siege::behind(&|hostile| {
        let front = front.get_or_init(|| Front::before(hostile.address()));
        format!("mqtt://{}", front.address)
    });
    let front = front.get().expect("the gateway has its address");
    let downs = events(&siege.gateway, "link_down").len();

    front.floods.store(true, Ordering::SeqCst);
    siege.hostile.cut();
    siege.hostile.mend();

    until("the end of the flood", || (front.sent.load(Ordering::SeqCst) > 0).then_some(()));
    siege.stands(2);
    until("the event", || (events(&siege.gateway, "link_down").len() >= downs + 2).then_some(()));
    assert!(siege.gateway.log().contains("raise `max_payload_bytes`"), "the log says why");
    let sent = front.sent.load(Ordering::SeqCst);
    assert!(sent < LENGTH / 8, "it took {sent} bytes");
    // The next connection is good.
    let set = siege.publish("third");
    super::give(&siege.hostile, &set);
    siege.gateway.reaches(3);
    siege.stands(3);
}
