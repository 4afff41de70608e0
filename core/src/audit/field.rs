//! The small vocabularies of a record: their codes are frozen and only appended to.

use crate::token::Lookup;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted; a record keeps 48 bits.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixMillis(pub u64);

macro_rules! codes {
    ($(#[$doc:meta])* $type:ident { $($number:literal $variant:ident $name:literal $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[repr(u8)]
        pub enum $type {
            $(#[doc = $text] $variant = $number,)*
        }

        impl $type {
            /// Every value, in the order of the codes.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Reads the code of a record; none where this build does not know it.
            #[must_use]
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Returns the name in exports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

codes! {
    /// What kind of credential came with a request (DOMAIN section 9, `authentication_type`).
    Authentication {
        0 None "none" "no credential, or none that is known";
        1 ApiToken "api_token" "an API token, which acts as its user";
        2 ServiceUser "service_user" "a service token, which acts as its service user";
        3 ClientCert "client_cert" "a client certificate";
        4 Device "device" "a device credential, for the upstream to check";
    }
}

codes! {
    /// A request's method; 0 is kept for none.
    Method {
        1 Get "GET" "GET";
        2 Head "HEAD" "HEAD";
        3 Post "POST" "POST";
        4 Put "PUT" "PUT";
        5 Patch "PATCH" "PATCH";
        6 Delete "DELETE" "DELETE";
        7 Options "OPTIONS" "OPTIONS";
        8 Connect "CONNECT" "CONNECT";
        9 Trace "TRACE" "TRACE";
        31 Other "OTHER" "any other, whose text is not kept";
    }
}

impl Method {
    /// Reads the method of a request; case counts (RFC 9110 section 9.1).
    #[must_use]
    pub fn read(method: &str) -> Self {
        Self::ALL.iter().copied().find(|known| known.name() == method).unwrap_or(Self::Other)
    }
}

codes! {
    /// What happened to the agent itself (DOMAIN section 9).
    Event {
        0 Start "start" "the agent has started";
        1 Stop "stop" "the agent stops in good order";
        2 SnapshotAccepted "snapshot_accepted" "a snapshot was verified and is now in force";
        3 SnapshotRejected "snapshot_rejected" "an offered snapshot was refused; `resource` says why";
        4 SnapshotInForce "snapshot_in_force" "the snapshot that the records after this are about";
        5 SnapshotStale "snapshot_stale" "the snapshot in force is stale";
        6 SnapshotExpired "snapshot_expired" "the snapshot in force has expired";
        7 FloorRebuilt "floor_rebuilt" "the floor was damaged or missing and was made anew";
        8 ClockStep "clock_step" "the clock was set; `resource` has the seconds";
        9 LinkUp "link_up" "the broker is connected";
        10 LinkDown "link_down" "the broker is not connected";
        11 Gap "gap" "the records with these numbers are missing";
        12 TailCut "tail_cut" "bytes that were never a whole record were cut off at start";
        13 SegmentDamaged "segment_damaged" "a file of the journal was set aside";
        14 AuditFull "audit_full" "the journal has reached its limit";
        15 AuditHighWater "audit_high_water" "the journal is nearly at its limit";
        16 AuditRoom "audit_room" "the journal has room again";
        17 AuditFailed "audit_failed" "records could not be written for a while";
        18 ConfigReload "config_reload" "the configuration was read again";
        19 KeySetAccepted "key_set_accepted" "a newer key set is in force";
        20 ReceiptRefused "receipt_refused" "a receipt was not for this journal; `resource` says why";
        21 CacheRebuilt "cache_rebuilt" "the cache was damaged and was made anew";
        22 RevocationsAccepted "revocations_accepted" "a newer revocation list is in force";
        23 Unsynced "unsynced" "the agent ended without a stop, and what it wrote in its last moments may be missing; `resource` says how long these are";
    }
}

/// Which credential a request carried (DOMAIN section 9, `credential_id`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Credential {
    /// The first 16 bytes of SHA-256 of a client certificate.
    Certificate([u8; 16]),
    /// None that has an id.
    #[default]
    None,
    /// What the request said, which proves nothing (DOMAIN I3).
    Unverified(Lookup),
    /// A token whose secret matched.
    Verified(Lookup),
}

/// Where a request came from, as far as the trusted hop knows.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Source {
    /// A user of this machine, over a Unix socket.
    Uid(u32),
    /// Nobody knows.
    #[default]
    Unknown,
    /// An IPv4 address.
    V4([u8; 4]),
    /// An IPv6 address.
    V6([u8; 16]),
}

impl From<core::net::IpAddr> for Source {
    fn from(address: core::net::IpAddr) -> Self {
        match address.to_canonical() {
            core::net::IpAddr::V4(v4) => Self::V4(v4.octets()),
            core::net::IpAddr::V6(v6) => Self::V6(v6.octets()),
        }
    }
}
