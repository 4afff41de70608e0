//! TEMPORARY STUB by the lead so that core compiles: its owner overwrites this file.
//! x
use crate::name::Uuid;
use crate::time::UnixSeconds;
/// x
#[derive(Clone, Debug)]
pub struct Manifest;
/// x
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root(pub [u8; 32]);
impl Manifest {
    pub fn file_len(&self) -> u32 {
        0
    }
    pub fn chunk_log2(&self) -> u8 {
        15
    }
    pub fn root(&self) -> Root {
        Root([0; 32])
    }
    pub fn account(&self) -> Uuid {
        Uuid([0; 16])
    }
    pub fn stale_at(&self) -> UnixSeconds {
        UnixSeconds(0)
    }
    pub fn expires_at(&self) -> UnixSeconds {
        UnixSeconds(0)
    }
    pub fn version(&self) -> u64 {
        0
    }
}
/// x
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct GatewayId(pub [u8; 16]);
/// x
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Incarnation(pub [u8; 8]);
