//! What lets a gateway forget: a collector's word that it holds the audit up to some record.

use serde::{Deserialize, Serialize};

use super::envelope::{Envelope, Kind};
use super::{GatewayId, Incarnation, KeySet, Refused, Role, wire};
use crate::audit::Head;
use crate::time::UnixSeconds;

/// A payload as postcard frames it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Body {
    pub(super) gateway: GatewayId,
    pub(super) incarnation: Incarnation,
    pub(super) through: u64,
    #[serde(with = "wire::head")]
    pub(super) head: Head,
    pub(super) time: UnixSeconds,
}

/// A receipt that a collector signed for this gateway and this enrolment.
///
/// Whether `head` is that of this gateway's chain is for the journal to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Receipt(Body);

impl Receipt {
    /// Verifies a receipt with the key set held.
    ///
    /// # Errors
    ///
    /// Returns why nothing may be forgotten.
    pub fn verify(
        bytes: &[u8],
        keys: &KeySet,
        gateway: GatewayId,
        incarnation: Incarnation,
    ) -> Result<Self, Refused> {
        let envelope = Envelope::open(bytes, Kind::Receipt)?;
        let (account, body) = wire::read_payload::<Body>(envelope.payload)?;
        if account != keys.account() {
            return Err(Refused::OtherAccount);
        }
        if body.gateway != gateway || body.incarnation != incarnation {
            return Err(Refused::OtherGateway);
        }
        keys.signers(&envelope, Kind::Receipt, Role::Collector, None)?;

        Ok(Self(body))
    }

    /// Returns the number of the last record that the collector holds, with all before.
    #[must_use]
    pub const fn through(&self) -> u64 {
        self.0.through
    }

    /// Returns the head of the chain after that record.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.0.head
    }

    /// Returns when it was signed.
    #[must_use]
    pub const fn time(&self) -> UnixSeconds {
        self.0.time
    }
}
