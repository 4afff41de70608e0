//! A cable that can be cut: gateways behind it reach the broker through this process.
//!
//! Cut, it closes what is open and takes nothing new, as a router does that has lost its uplink.

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::account::HOST;

/// One end is a port on loopback, the other one is the broker.
#[derive(Debug)]
pub(crate) struct Cable {
    port: u16,
    whole: watch::Sender<bool>,
}

impl Cable {
    /// Lays a cable to the broker at this port.
    pub(crate) async fn lay(broker: u16) -> Result<Self> {
        let listener = TcpListener::bind((HOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (whole, seen) = watch::channel(true);
        tokio::spawn(carry(listener, broker, seen));

        Ok(Self { port, whole })
    }

    /// Returns the port at the gateways' end.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Cuts it.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Mends it.
    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

/// Takes connections until the cable is gone.
async fn carry(listener: TcpListener, broker: u16, mut whole: watch::Receiver<bool>) {
    loop {
        let near = tokio::select! {
            taken = listener.accept() => taken.map(|(near, _)| near),
            gone = whole.changed() => match gone {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        // A connection that went away again before it was taken is nobody's concern.
        if let Ok(near) = near
            && *whole.borrow()
        {
            tokio::spawn(join(near, broker, whole.clone()));
        }
    }
}

/// Carries bytes both ways until either end closes or the cable is cut.
async fn join(mut near: TcpStream, broker: u16, mut whole: watch::Receiver<bool>) {
    let carried = async {
        let mut far = TcpStream::connect((HOST, broker)).await?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        copy_bidirectional(&mut near, &mut far).await
    };
    tokio::select! {
        // However it ends, both ends are closed, and each sees that.
        _ = carried => {}
        _ = whole.wait_for(|whole| !whole) => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_cut_cable_closes_what_is_open_and_carries_again_once_it_is_mended() {
        let broker = TcpListener::bind((HOST, 0)).await.unwrap();
        let cable = Cable::lay(broker.local_addr().unwrap().port()).await.unwrap();
        let mut near = TcpStream::connect((HOST, cable.port())).await.unwrap();
        let (mut far, _) = broker.accept().await.unwrap();
        near.write_all(b"a").await.unwrap();
        assert_eq!(far.read_u8().await.unwrap(), b'a');

        cable.cut();
        assert!(near.read_u8().await.is_err() && far.read_u8().await.is_err());
        let mut refused = TcpStream::connect((HOST, cable.port())).await.unwrap();
        assert!(refused.read_u8().await.is_err());

        cable.mend();
        let mut near = TcpStream::connect((HOST, cable.port())).await.unwrap();
        let (mut far, _) = broker.accept().await.unwrap();
        far.write_all(b"b").await.unwrap();
        assert_eq!(near.read_u8().await.unwrap(), b'b');
    }
}
