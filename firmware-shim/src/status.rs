//! What a call came to, in numbers that never change their meaning.

use core::ffi::{CStr, c_char};

use gateward_core::snapshot::delta::NotApplied;
use gateward_core::snapshot::revocation::WrongRoom;
use gateward_core::{bundle, snapshot, token, trust};

/// What a call came to: 0 is success. New numbers are added at the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct Status {
    /// The number.
    pub code: u32,
}

/// The bytes of a text, for a section of their own: a linker keeps those of all texts together, or
/// drops each that nobody reads.
const fn bytes_of<const N: usize>(text: &CStr) -> [u8; N] {
    match text.to_bytes_with_nul().first_chunk() {
        Some(bytes) => *bytes,
        None => [0; N],
    }
}

macro_rules! text_of {
    ($($number:literal $name:ident $text:literal,)*) => {
        /// Returns a sentence for whoever looks for the mistake.
        pub(crate) const fn text(status: Status) -> &'static CStr {
            match status {
                $($name => {
                    const SENTENCE: &CStr = $text;
                    static BYTES: [u8; SENTENCE.count_bytes() + 1] = bytes_of(SENTENCE);
                    const OWN: &CStr = match CStr::from_bytes_with_nul(&BYTES) {
                        Ok(own) => own,
                        Err(_) => SENTENCE,
                    };
                    OWN
                })*
                _ => c"a status that this library does not have; it is older than its caller",
            }
        }

        #[cfg(test)]
        pub(crate) const ALL: &[(u32, Status)] = &[$(($number, $name),)*];
    };
}

/// The call did what it was asked.
pub const GATEWARD_OK: Status = Status { code: 0 };
/// A pointer is null that must not be.
pub const GATEWARD_NULL: Status = Status { code: 1 };
/// A length is longer than an object can be, or not the one that belongs here.
pub const GATEWARD_LENGTH: Status = Status { code: 2 };
/// A pointer to one of the types of this header is not aligned to 8 bytes.
pub const GATEWARD_MISALIGNED: Status = Status { code: 3 };
/// The storage holds nothing, or something of another type: call what fills it first.
pub const GATEWARD_EMPTY: Status = Status { code: 4 };
/// A number is outside what can be meant.
pub const GATEWARD_ABSURD: Status = Status { code: 5 };
/// The buffer is too small.
pub const GATEWARD_NO_ROOM: Status = Status { code: 6 };
/// The function that writes said no; what was written so far is of no use.
pub const GATEWARD_BROKEN: Status = Status { code: 7 };
/// The time is 0: there is no default, say how late it is (DOMAIN L5).
pub const GATEWARD_NO_TIME: Status = Status { code: 8 };
/// A text is not UTF-8.
pub const GATEWARD_TEXT: Status = Status { code: 9 };
/// There is nothing of this name or number.
pub const GATEWARD_UNKNOWN: Status = Status { code: 10 };

/// The text is not that of a token.
pub const GATEWARD_TOKEN: Status = Status { code: 16 };
/// The question was prepared for another snapshot: prepare it again.
pub const GATEWARD_OTHER_SNAPSHOT: Status = Status { code: 17 };
/// A revocation list was held once and has to be given again before anything is decided.
pub const GATEWARD_LIST_OWED: Status = Status { code: 18 };
/// The snapshot is older than the revocation list builds on, and what earlier lists held is not
/// here: only a newer snapshot helps.
pub const GATEWARD_NEEDS_NEWER: Status = Status { code: 19 };
/// The snapshot was signed with a key that has been called compromised since.
pub const GATEWARD_VOID: Status = Status { code: 20 };

/// See `absurd` in the list of refusals, `core/docs/format.md` section 13; as the next ones.
pub const GATEWARD_REFUSED_ABSURD: Status = Status { code: 32 };
/// The key set asks for an algorithm that this build does not have.
pub const GATEWARD_REFUSED_ALGORITHM: Status = Status { code: 33 };
/// The floor is not what was written.
pub const GATEWARD_REFUSED_DAMAGED: Status = Status { code: 34 };
/// It has expired.
pub const GATEWARD_REFUSED_EXPIRED: Status = Status { code: 35 };
/// Two snapshots were signed under one number.
pub const GATEWARD_REFUSED_FORK: Status = Status { code: 36 };
/// The hash list is not the one that the manifest names.
pub const GATEWARD_REFUSED_HASH_LIST: Status = Status { code: 37 };
/// It says a time later than a synchronised clock allows.
pub const GATEWARD_REFUSED_ISSUED_AHEAD: Status = Status { code: 38 };
/// The key set it was signed under has expired.
pub const GATEWARD_REFUSED_KEYS_EXPIRED: Status = Status { code: 39 };
/// The key set cannot be used.
pub const GATEWARD_REFUSED_KEYS_UNUSABLE: Status = Status { code: 40 };
/// It cannot be read.
pub const GATEWARD_REFUSED_MALFORMED: Status = Status { code: 41 };
/// It belongs to a later epoch: take the key sets in between first.
pub const GATEWARD_REFUSED_NEWER_KEYS: Status = Status { code: 42 };
/// It belongs to an earlier epoch.
pub const GATEWARD_REFUSED_OLD_KEYS: Status = Status { code: 43 };
/// It is for another account.
pub const GATEWARD_REFUSED_OTHER_ACCOUNT: Status = Status { code: 44 };
/// It is for another group of gateways.
pub const GATEWARD_REFUSED_OTHER_AUDIENCE: Status = Status { code: 45 };
/// It is for another gateway.
pub const GATEWARD_REFUSED_OTHER_GATEWAY: Status = Status { code: 46 };
/// It is another type of object.
pub const GATEWARD_REFUSED_OTHER_TYPE: Status = Status { code: 47 };
/// It is older than what was accepted.
pub const GATEWARD_REFUSED_ROLLBACK: Status = Status { code: 48 };
/// It is longer than anything of its type.
pub const GATEWARD_REFUSED_TOO_LONG: Status = Status { code: 49 };
/// It was issued later than anybody else says that it is.
pub const GATEWARD_REFUSED_UNCONFIRMED: Status = Status { code: 50 };
/// Fewer keys signed it than must.
pub const GATEWARD_REFUSED_UNSIGNED: Status = Status { code: 51 };
/// It is in a format that this build does not read.
pub const GATEWARD_REFUSED_FORMAT: Status = Status { code: 52 };
/// The bytes are not one whole bundle.
pub const GATEWARD_REFUSED_BUNDLE: Status = Status { code: 53 };

/// A count in the snapshot is past its limit.
pub const GATEWARD_SNAPSHOT_COUNTS: Status = Status { code: 64 };
/// The directory of the snapshot does not fit its ids.
pub const GATEWARD_SNAPSHOT_DIRECTORY: Status = Status { code: 65 };
/// The extensions of the snapshot cannot be read.
pub const GATEWARD_SNAPSHOT_EXTENSION: Status = Status { code: 66 };
/// The snapshot is shorter or longer than it says.
pub const GATEWARD_SNAPSHOT_LENGTH: Status = Status { code: 67 };
/// A name in the snapshot is malformed.
pub const GATEWARD_SNAPSHOT_NAME: Status = Status { code: 68 };
/// A record stands twice or out of order.
pub const GATEWARD_SNAPSHOT_ORDER: Status = Status { code: 69 };
/// The snapshot is for another account than its manifest.
pub const GATEWARD_SNAPSHOT_OTHER_ACCOUNT: Status = Status { code: 70 };
/// A record points past its table.
pub const GATEWARD_SNAPSHOT_REFERENCE: Status = Status { code: 71 };
/// Reserved bytes are not zero.
pub const GATEWARD_SNAPSHOT_RESERVED: Status = Status { code: 72 };
/// The snapshot, or the chunk, is not the one that the manifest names.
pub const GATEWARD_SNAPSHOT_ROOT: Status = Status { code: 73 };
/// The divisions of a principal are malformed.
pub const GATEWARD_SNAPSHOT_SCOPE: Status = Status { code: 74 };
/// The snapshot needs a feature that this build lacks.
pub const GATEWARD_SNAPSHOT_FEATURE: Status = Status { code: 75 };
/// The file is not a snapshot that this build reads.
pub const GATEWARD_SNAPSHOT_FORMAT: Status = Status { code: 76 };
/// A status in the snapshot is unknown to this build.
pub const GATEWARD_SNAPSHOT_STATUS: Status = Status { code: 77 };

/// The delta refers to a record that would not be there.
pub const GATEWARD_DELTA_DANGLING: Status = Status { code: 96 };
/// The bytes are not a delta, or not the one that the manifest names.
pub const GATEWARD_DELTA_MALFORMED: Status = Status { code: 97 };
/// The delta takes away what is not there.
pub const GATEWARD_DELTA_MISSING: Status = Status { code: 98 };
/// The delta has a record twice or out of order.
pub const GATEWARD_DELTA_ORDER: Status = Status { code: 99 };
/// The delta starts from another snapshot.
pub const GATEWARD_DELTA_OTHER_BASE: Status = Status { code: 100 };
/// The delta grows past a limit of the format.
pub const GATEWARD_DELTA_TOO_MANY: Status = Status { code: 101 };
/// The delta is in a format that this build does not read.
pub const GATEWARD_DELTA_FORMAT: Status = Status { code: 102 };

text_of! {
    0 GATEWARD_OK c"done",
    1 GATEWARD_NULL c"a pointer is null that must not be",
    2 GATEWARD_LENGTH c"a length is not one that this can have",
    3 GATEWARD_MISALIGNED c"a pointer is not aligned to 8 bytes",
    4 GATEWARD_EMPTY c"the storage holds nothing of this type; call what fills it first",
    5 GATEWARD_ABSURD c"a number is outside what can be meant",
    6 GATEWARD_NO_ROOM c"the buffer is too small",
    7 GATEWARD_BROKEN c"the function that writes said no; erase what was written",
    8 GATEWARD_NO_TIME c"the time is missing; say how late it is",
    9 GATEWARD_TEXT c"a text is not UTF-8",
    10 GATEWARD_UNKNOWN c"there is nothing of this name or number",
    16 GATEWARD_TOKEN c"not the text of a token",
    17 GATEWARD_OTHER_SNAPSHOT c"the question was prepared for another snapshot; prepare it again",
    18 GATEWARD_LIST_OWED c"a revocation list was held once; give it again first",
    19 GATEWARD_NEEDS_NEWER c"older than the revocation list builds on; fetch a newer snapshot",
    20 GATEWARD_VOID c"signed with a key that is compromised; fetch a newer snapshot",
    32 GATEWARD_REFUSED_ABSURD c"a number of it is outside what can be meant",
    33 GATEWARD_REFUSED_ALGORITHM c"needs a signature algorithm that this build lacks",
    34 GATEWARD_REFUSED_DAMAGED c"the floor is damaged; fetch the newest snapshot",
    35 GATEWARD_REFUSED_EXPIRED c"it has expired; fetch a newer one",
    36 GATEWARD_REFUSED_FORK c"two snapshots were signed under one number; ask who signs",
    37 GATEWARD_REFUSED_HASH_LIST c"not the hash list of the manifest; fetch it again",
    38 GATEWARD_REFUSED_ISSUED_AHEAD c"signed later than the clock says; check the clocks",
    39 GATEWARD_REFUSED_KEYS_EXPIRED c"its key set has expired; fetch the next key set",
    40 GATEWARD_REFUSED_KEYS_UNUSABLE c"the key set cannot be used; ask who signs",
    41 GATEWARD_REFUSED_MALFORMED c"it cannot be read; fetch it again",
    42 GATEWARD_REFUSED_NEWER_KEYS c"of a later epoch; take the key sets in between first",
    43 GATEWARD_REFUSED_OLD_KEYS c"of an earlier epoch than the key set held",
    44 GATEWARD_REFUSED_OTHER_ACCOUNT c"it is for another account",
    45 GATEWARD_REFUSED_OTHER_AUDIENCE c"it is for another group of gateways",
    46 GATEWARD_REFUSED_OTHER_GATEWAY c"it is for another gateway",
    47 GATEWARD_REFUSED_OTHER_TYPE c"it is another type of object",
    48 GATEWARD_REFUSED_ROLLBACK c"older than what was accepted before",
    49 GATEWARD_REFUSED_TOO_LONG c"longer than anything of its type",
    50 GATEWARD_REFUSED_UNCONFIRMED c"later than anybody else says; a beacon has to confirm it",
    51 GATEWARD_REFUSED_UNSIGNED c"fewer keys signed it than must",
    52 GATEWARD_REFUSED_FORMAT c"in a format that this build does not read",
    53 GATEWARD_REFUSED_BUNDLE c"not one whole bundle; carry it here again",
    64 GATEWARD_SNAPSHOT_COUNTS c"a count in the snapshot is past its limit",
    65 GATEWARD_SNAPSHOT_DIRECTORY c"the directory of the snapshot does not fit its ids",
    66 GATEWARD_SNAPSHOT_EXTENSION c"the extensions of the snapshot cannot be read",
    67 GATEWARD_SNAPSHOT_LENGTH c"the snapshot is shorter or longer than it says",
    68 GATEWARD_SNAPSHOT_NAME c"a name in the snapshot is malformed",
    69 GATEWARD_SNAPSHOT_ORDER c"a record of the snapshot stands twice or out of order",
    70 GATEWARD_SNAPSHOT_OTHER_ACCOUNT c"the snapshot is for another account than its manifest",
    71 GATEWARD_SNAPSHOT_REFERENCE c"a record of the snapshot points past its table",
    72 GATEWARD_SNAPSHOT_RESERVED c"reserved bytes of the snapshot are not zero",
    73 GATEWARD_SNAPSHOT_ROOT c"not the bytes that the manifest names; fetch them again",
    74 GATEWARD_SNAPSHOT_SCOPE c"divisions of a principal are malformed",
    75 GATEWARD_SNAPSHOT_FEATURE c"the snapshot needs a feature that this build lacks",
    76 GATEWARD_SNAPSHOT_FORMAT c"not a snapshot that this build reads",
    77 GATEWARD_SNAPSHOT_STATUS c"a status in the snapshot is unknown to this build",
    96 GATEWARD_DELTA_DANGLING c"the delta refers to what is not there; fetch the whole snapshot",
    97 GATEWARD_DELTA_MALFORMED c"not the delta that the manifest names; fetch the whole snapshot",
    98 GATEWARD_DELTA_MISSING c"the delta takes away what is not there; fetch the whole snapshot",
    99 GATEWARD_DELTA_ORDER c"the delta is out of order; fetch the whole snapshot",
    100 GATEWARD_DELTA_OTHER_BASE c"the delta starts elsewhere; fetch the whole snapshot",
    101 GATEWARD_DELTA_TOO_MANY c"the delta grows past a limit; fetch the whole snapshot",
    102 GATEWARD_DELTA_FORMAT c"not a delta that this build reads; fetch the whole snapshot",
}

/// Returns a sentence in English for `status`, ended by a zero byte; it lives as long as the program.
/// A number that no status has gives a sentence too.
#[expect(unsafe_code, reason = "C calls this by name")]
#[unsafe(no_mangle)]
pub extern "C" fn gateward_strerror(status: Status) -> *const c_char {
    text(status).as_ptr()
}

impl From<Result<(), Self>> for Status {
    fn from(outcome: Result<(), Self>) -> Self {
        outcome.err().unwrap_or(GATEWARD_OK)
    }
}

impl From<trust::Refused> for Status {
    fn from(refused: trust::Refused) -> Self {
        use trust::Refused as R;
        match refused {
            R::Absurd => GATEWARD_REFUSED_ABSURD,
            R::AlgorithmMissing => GATEWARD_REFUSED_ALGORITHM,
            R::Damaged => GATEWARD_REFUSED_DAMAGED,
            R::Expired => GATEWARD_REFUSED_EXPIRED,
            R::Fork => GATEWARD_REFUSED_FORK,
            R::HashList => GATEWARD_REFUSED_HASH_LIST,
            R::IssuedAhead => GATEWARD_REFUSED_ISSUED_AHEAD,
            R::KeysExpired => GATEWARD_REFUSED_KEYS_EXPIRED,
            R::KeysUnusable => GATEWARD_REFUSED_KEYS_UNUSABLE,
            R::Malformed => GATEWARD_REFUSED_MALFORMED,
            R::NewerKeys(_) => GATEWARD_REFUSED_NEWER_KEYS,
            R::OldKeys => GATEWARD_REFUSED_OLD_KEYS,
            R::OtherAccount => GATEWARD_REFUSED_OTHER_ACCOUNT,
            R::OtherAudience => GATEWARD_REFUSED_OTHER_AUDIENCE,
            R::OtherGateway => GATEWARD_REFUSED_OTHER_GATEWAY,
            R::OtherType => GATEWARD_REFUSED_OTHER_TYPE,
            R::Rollback { .. } => GATEWARD_REFUSED_ROLLBACK,
            R::TooLong => GATEWARD_REFUSED_TOO_LONG,
            R::Unconfirmed => GATEWARD_REFUSED_UNCONFIRMED,
            R::Unsigned => GATEWARD_REFUSED_UNSIGNED,
            R::UnknownFormat => GATEWARD_REFUSED_FORMAT,
        }
    }
}

impl From<snapshot::Refused> for Status {
    fn from(refused: snapshot::Refused) -> Self {
        use snapshot::Refused as R;
        match refused {
            R::Counts => GATEWARD_SNAPSHOT_COUNTS,
            R::Directory => GATEWARD_SNAPSHOT_DIRECTORY,
            R::Extension => GATEWARD_SNAPSHOT_EXTENSION,
            R::Length => GATEWARD_SNAPSHOT_LENGTH,
            R::Name => GATEWARD_SNAPSHOT_NAME,
            R::Order => GATEWARD_SNAPSHOT_ORDER,
            R::OtherAccount => GATEWARD_SNAPSHOT_OTHER_ACCOUNT,
            R::Reference => GATEWARD_SNAPSHOT_REFERENCE,
            R::Reserved => GATEWARD_SNAPSHOT_RESERVED,
            R::Root => GATEWARD_SNAPSHOT_ROOT,
            R::Scope => GATEWARD_SNAPSHOT_SCOPE,
            R::UnknownFeature => GATEWARD_SNAPSHOT_FEATURE,
            R::UnknownFormat => GATEWARD_SNAPSHOT_FORMAT,
            R::UnknownStatus => GATEWARD_SNAPSHOT_STATUS,
        }
    }
}

impl From<NotApplied> for Status {
    fn from(not: NotApplied) -> Self {
        match not {
            NotApplied::Broken => GATEWARD_BROKEN,
            NotApplied::Dangling => GATEWARD_DELTA_DANGLING,
            NotApplied::Malformed => GATEWARD_DELTA_MALFORMED,
            NotApplied::Missing => GATEWARD_DELTA_MISSING,
            NotApplied::NoRoom => GATEWARD_NO_ROOM,
            NotApplied::Order => GATEWARD_DELTA_ORDER,
            NotApplied::OtherBase => GATEWARD_DELTA_OTHER_BASE,
            NotApplied::TooMany => GATEWARD_DELTA_TOO_MANY,
            NotApplied::UnknownFormat => GATEWARD_DELTA_FORMAT,
        }
    }
}

macro_rules! one_status {
    ($($error:path => $status:ident,)*) => {
        $(impl From<$error> for Status {
            fn from(_: $error) -> Self {
                $status
            }
        })*
    };
}

one_status! {
    bundle::NotABundle => GATEWARD_REFUSED_BUNDLE,
    token::NotAToken => GATEWARD_TOKEN,
    WrongRoom => GATEWARD_LENGTH,
}
