//! A wire between a program and a server, which the test can cut in one direction.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Carries bytes on loopback until it is dropped; after that it takes no new connections.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    mute: Arc<AtomicBool>,
}

impl Wire {
    /// Leads to `port`.
    ///
    /// # Panics
    ///
    /// If loopback has no free port.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let ours = listener.local_addr().expect("a listener has an address").port();
        let mute = Arc::new(AtomicBool::new(false));
        let is_mute = Arc::clone(&mute);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let ends = (near.try_clone(), far.try_clone());
                let (Ok(near_too), Ok(far_too)) = ends else { continue };
                let is_mute = Arc::clone(&is_mute);
                thread::spawn(move || carry(near, &far, &is_mute));
                thread::spawn(move || carry(far_too, &near_too, &AtomicBool::new(false)));
            }
        });

        Self { port: ours, mute }
    }

    /// Returns the port that the program connects to.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on, nothing that the program says arrives.
    pub fn mute(&self) {
        self.mute.store(true, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: &TcpStream, is_mute: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let Some(said) = buffer.get(..len) else { break };
        if !is_mute.load(Ordering::SeqCst) && to.write_all(said).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
