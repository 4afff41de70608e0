//! A database that takes connections and never answers.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_millis(300);
/// Nothing here takes longer, or it never ends.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a server says that lets somebody in without a password: welcome, and ready.
const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
/// The answer to whether it is read-only: one column of text with one row, `off`.
const WRITABLE: &[u8] = b"T\0\0\0\x1a\0\x01c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0\
    D\0\0\0\x0d\0\x01\0\0\0\x03offC\0\0\0\x09SHOW\0Z\0\0\0\x05I";

async fn begin(listener: &TcpListener) -> CollectFailed {
    let world = World::new().await;
    let address = listener.local_addr().unwrap();
    let url = format!("host=127.0.0.1 port={} user=u dbname=d", address.port());
    let database = Database { url, password: None, ca: None };
    let store = Shared::new(&database, &world.options().dir).unwrap();
    let mut store = store.with_patience(PATIENCE);

    timeout(DEADLINE, store.begin()).await.expect("an end").unwrap_err()
}

#[tokio::test]
async fn a_database_that_takes_the_connection_and_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();

    let failed = begin(&listener).await;

    assert!(
        matches!(failed, CollectFailed::Database(DatabaseFailed::Silent(PATIENCE))),
        "{failed}"
    );
}

#[tokio::test]
async fn a_database_that_stops_answering_is_given_up_and_so_is_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let accepting = listener.try_clone().unwrap();
    let server = thread::spawn(move || {
        let (mut client, _) = accepting.accept().unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        take(&mut client);
        client.write_all(WELCOME).unwrap();
        client.read_exact(&mut [0]).unwrap();
        take(&mut client);
        client.write_all(WRITABLE).unwrap();

        until_closed(&mut client)
    });

    let failed = begin(&listener).await;

    assert!(
        matches!(failed, CollectFailed::Database(DatabaseFailed::Silent(PATIENCE))),
        "{failed}"
    );
    let closed = tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
    assert!(closed, "each attempt would leave a connection behind");
}

/// Takes a message behind its kind.
fn take(client: &mut TcpStream) {
    let mut len = [0; 4];
    client.read_exact(&mut len).unwrap();
    let rest = usize::try_from(u32::from_be_bytes(len)).unwrap() - len.len();
    client.read_exact(&mut vec![0; rest]).unwrap();
}

/// Returns whether the other side hung up before the deadline.
fn until_closed(client: &mut TcpStream) -> bool {
    let mut buffer = [0; 1024];
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
