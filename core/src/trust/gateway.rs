//! What a gateway says of itself, signed with its own key: checkpoints of its audit, and status.
//!
//! Both are written into the caller's buffer, so that a gateway needs no allocator to sign.

use core::fmt;

use ed25519_dalek::ed25519::signature::MultipartSigner;
use ed25519_dalek::{SigningKey, VerifyingKey};
use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::envelope::{Envelope, Kind, Signed};
use super::public::Public;
use super::role::{Algorithm, KeyId};
use super::{GatewayId, Incarnation, Refused, wire};
use crate::audit::Head;
use crate::name::Uuid;
use crate::time::{TimeQuality, UnixSeconds};

/// A buffer of this length holds any checkpoint and any status, signed.
pub const SEALED_LEN: usize = 384;

const MAX_PAYLOAD: usize = 256;

/// The buffer is too small; [`SEALED_LEN`] bytes are always enough.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooSmall;

impl fmt::Display for TooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the buffer is too small; give it {SEALED_LEN} bytes")
    }
}

impl core::error::Error for TooSmall {}

/// How far the audit of a gateway had come at some moment.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Checkpoint {
    /// The gateway.
    pub gateway: GatewayId,
    /// Its enrolment.
    pub incarnation: Incarnation,
    /// Number of the last record.
    pub number: u64,
    /// Head of the chain after that record.
    #[serde(with = "wire::head")]
    pub head: Head,
    /// When.
    pub time: UnixSeconds,
    /// Number of the start of the agent.
    pub boot: u32,
}

impl Checkpoint {
    /// Writes the signed checkpoint at the start of `buffer` and returns it.
    ///
    /// # Errors
    ///
    /// `buffer` is too small.
    pub fn sign<'b>(
        &self,
        account: Uuid,
        key: &SigningKey,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], TooSmall> {
        seal(Kind::Checkpoint, account, self, key, buffer)
    }

    /// Verifies a checkpoint that `gateway` is said to have signed with `key`, in whichever
    /// enrolment it says.
    ///
    /// # Errors
    ///
    /// Returns why it says nothing.
    pub fn verify(
        bytes: &[u8],
        key: &VerifyingKey,
        account: Uuid,
        gateway: GatewayId,
    ) -> Result<Self, Refused> {
        let checkpoint: Self = unseal(Kind::Checkpoint, bytes, key, account)?;

        (checkpoint.gateway == gateway).then_some(checkpoint).ok_or(Refused::OtherGateway)
    }
}

/// What a gateway runs on. The will of its connection is the same with `gone`, signed at connect.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Status {
    /// The gateway.
    pub gateway: GatewayId,
    /// Its enrolment.
    pub incarnation: Incarnation,
    /// Number of the start of the agent.
    pub boot: u32,
    /// Epoch of the key set held.
    pub keyset: u32,
    /// Version number of the snapshot in force; 0 where there is none.
    pub version: u64,
    /// First 8 bytes of its root; zero where there is none.
    pub root8: [u8; 8],
    /// Number of the newest revocation list held.
    pub revoked_counter: u64,
    /// L, signed time and run time since.
    pub floor_time: UnixSeconds,
    /// Number of the last audit record.
    pub audit_number: u64,
    /// Head of the audit chain after that record.
    #[serde(with = "wire::head")]
    pub audit_head: Head,
    /// Records that no receipt covers yet.
    pub backlog: u64,
    /// How far its time can be trusted.
    pub time_quality: TimeQuality,
    /// Whether it has left.
    pub gone: bool,
}

impl Status {
    /// Writes the signed status at the start of `buffer` and returns it.
    ///
    /// # Errors
    ///
    /// `buffer` is too small.
    pub fn sign<'b>(
        &self,
        account: Uuid,
        key: &SigningKey,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], TooSmall> {
        seal(Kind::Status, account, self, key, buffer)
    }

    /// Verifies a status that `gateway` is said to have signed with `key`.
    ///
    /// # Errors
    ///
    /// Returns why it says nothing.
    pub fn verify(
        bytes: &[u8],
        key: &VerifyingKey,
        account: Uuid,
        gateway: GatewayId,
    ) -> Result<Self, Refused> {
        let status: Self = unseal(Kind::Status, bytes, key, account)?;

        (status.gateway == gateway).then_some(status).ok_or(Refused::OtherGateway)
    }

    /// Returns which enrolment a status says it is of, whoever wrote it: nothing of it is verified.
    ///
    /// # Errors
    ///
    /// It is no status.
    pub fn claimed(bytes: &[u8]) -> Result<Incarnation, Refused> {
        let envelope = Envelope::open(bytes, Kind::Status)?;
        let (_, status): (Uuid, Self) = wire::read_payload(envelope.payload)?;

        Ok(status.incarnation)
    }
}

fn seal<'b>(
    kind: Kind,
    account: Uuid,
    body: &impl Serialize,
    key: &SigningKey,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], TooSmall> {
    let mut payload = [0; MAX_PAYLOAD];
    let whole = (wire::FORMAT, account.0, body);
    let payload = postcard::to_slice(&whole, &mut payload).map_err(|_| TooSmall)?;
    let signature =
        key.try_multipart_sign(&[kind.domain(), payload]).map_err(|_| TooSmall)?.to_bytes();
    let signed = Signed {
        key: KeyId::of(key.verifying_key().as_bytes()),
        algorithm: Algorithm::Ed25519 as u8,
        bytes: &signature,
    };
    let envelope = Envelope { typ: kind as u8, payload, signatures: Vec::from_iter([signed]) };

    postcard::to_slice(&envelope, buffer).map(|bytes| &*bytes).map_err(|_| TooSmall)
}

fn unseal<T>(kind: Kind, bytes: &[u8], key: &VerifyingKey, account: Uuid) -> Result<T, Refused>
where
    T: for<'a> Deserialize<'a> + Serialize,
{
    let envelope = Envelope::open(bytes, kind)?;
    if !envelope.is_signed(kind, KeyId::of(key.as_bytes()), &Public::Ed25519(*key)) {
        return Err(Refused::Unsigned);
    }
    let (of, body) = wire::read_payload(envelope.payload)?;

    (of == account).then_some(body).ok_or(Refused::OtherAccount)
}
