// Gateward: who may do what, by a signed snapshot; for programs without heap or operating system.
//
// Every function returns a status, GATEWARD_OK where it did what it was asked, and writes through its
// pointers only then; gateward_bundle_walk keeps what came before a mistake, and memory to work in is the
// library's meanwhile. Storage is the caller's: the types of this header, zeroed before their first use
// and passed by address. What an object points to stays where it is for as long as it is used.
//
// Generated from the Rust source, which explains the rest: change that, not this file.

#ifndef GATEWARD_H
#define GATEWARD_H

#include <stddef.h>
#include <stdint.h>

// The version of this interface; it rises when a function changes its meaning.
#define GATEWARD_ABI_VERSION 1u

// Bytes of a floor.
#define GATEWARD_FLOOR_SIZE 464u

// Words of 8 bytes of a key set.
#define GATEWARD_KEYS_WORDS 800u

// Words of 8 bytes of a manifest.
#define GATEWARD_MANIFEST_WORDS 56u

// Words of 8 bytes of a hash list.
#define GATEWARD_HASH_LIST_WORDS 6u

// Words of 8 bytes of an open snapshot.
#define GATEWARD_SNAPSHOT_WORDS 96u

// Words of 8 bytes of a token.
#define GATEWARD_TOKEN_WORDS 12u

// Words of 8 bytes of a prepared question.
#define GATEWARD_ASK_WORDS 10u

// Words of 8 bytes of a clock.
#define GATEWARD_CLOCK_WORDS 10u

// Bytes of an account, of an audience, and of any other id.
#define GATEWARD_ID_SIZE 16u

// The clock is synchronised.
#define GATEWARD_TIME_SYNCED 0u

// The clock runs and is ahead of every signed time, but nobody vouches for it.
#define GATEWARD_TIME_HOLDOVER 1u

// The clock is behind signed time, which is used instead.
#define GATEWARD_TIME_FLOOR 2u

// Nothing but the time of the build is known.
#define GATEWARD_TIME_UNKNOWN 3u

// The operation is not said: each permission counts for the strictest that it can mean.
#define GATEWARD_OPERATION_STRICTEST 0u

// Approving somebody's request, from which system users are barred.
#define GATEWARD_OPERATION_APPROVE 1u

// Removing something.
#define GATEWARD_OPERATION_DELETE 2u

// Requesting or renewing a certificate, from which system users are barred.
#define GATEWARD_OPERATION_ISSUE 3u

// Requesting an intermediate CA, from which system users are barred.
#define GATEWARD_OPERATION_ISSUE_CA 4u

// Looking at something.
#define GATEWARD_OPERATION_READ 5u

// Revoking a certificate.
#define GATEWARD_OPERATION_REVOKE 6u

// Making or changing something.
#define GATEWARD_OPERATION_WRITE 7u

// Whoever asks acts on the answer: what is not said counts against it.
#define GATEWARD_MODE_DIRECT 0u

// Whoever asks passes the request on to something that checks the same token again.
#define GATEWARD_MODE_PROXY 1u

// A limited principal is denied where the division is left to something behind too.
#define GATEWARD_RULE_STRICT 1u

// A limited principal is denied on an item that is in no division.
#define GATEWARD_RULE_DENY_UNATTACHED 2u

// The request may go on.
#define GATEWARD_CLASS_ALLOW 0u

// The credential is not good: one fixed answer, whatever the reason is.
#define GATEWARD_CLASS_AUTHN 1u

// The credential is good and may not do this.
#define GATEWARD_CLASS_AUTHZ 2u

// No answer can be given now.
#define GATEWARD_CLASS_UNAVAILABLE 3u

// In `gateward_decision`: nobody, or no permission.
#define GATEWARD_NONE 4294967295u

// Bytes of the public part of a token.
#define GATEWARD_LOOKUP_SIZE 12u

// No record has more bytes.
#define GATEWARD_RECORD_SIZE 768u

// Bytes of the head of the chain, and of its key.
#define GATEWARD_HEAD_SIZE 32u

// Bytes of a tag.
#define GATEWARD_TAG_SIZE 16u

// The request was allowed, for one of the reasons.
#define GATEWARD_OUTCOME_ALLOW 0u

// The request was denied, for one of the reasons.
#define GATEWARD_OUTCOME_DENY 1u

// Something happened to the machine itself: `reason` is the number of an event.
#define GATEWARD_OUTCOME_EVENT 2u

// The request carries a device credential, for something behind to check.
#define GATEWARD_OUTCOME_PASSTHROUGH 3u

// The record names no token.
#define GATEWARD_CREDENTIAL_NONE 0u

// The record names a token whose secret matched.
#define GATEWARD_CREDENTIAL_VERIFIED 1u

// The record names a token as it was presented, which proves nothing.
#define GATEWARD_CREDENTIAL_UNVERIFIED 2u

// What a call came to: 0 is success. New numbers are added at the end.
typedef uint32_t gateward_status;

// What was accepted so far, and never less again (TRUST section 4): bytes to be kept where they
// outlive a restart, written whole.
typedef struct {
  // As `core/docs/format.md` writes them down.
  uint8_t bytes[GATEWARD_FLOOR_SIZE];
} gateward_floor;

// Keys that are trusted.
typedef struct {
  uint64_t opaque[GATEWARD_KEYS_WORDS];
} gateward_keys;

// A manifest whose signatures were verified.
typedef struct {
  uint64_t opaque[GATEWARD_MANIFEST_WORDS];
} gateward_manifest;

// The time to decide with. There is no default.
typedef struct {
  // Seconds since 1970; 0 is no time.
  uint64_t at;
  // The latest time that the clock, two keys or root keys stand for; `at` where that is the clock's.
  uint64_t backed;
  // One of `GATEWARD_TIME_*`.
  uint32_t quality;
  // Zero.
  uint32_t zero;
} gateward_now;

// What a manifest says.
typedef struct {
  // Number of the version.
  uint64_t version;
  // When it was signed, in seconds since 1970.
  uint64_t issued_at;
  // From when on operations marked `fresh` are refused.
  uint64_t stale_at;
  // From when on everything is refused.
  uint64_t expires_at;
  // Number of the newest revocation list then; 0 for none.
  uint64_t revoked;
  // Epoch of the key set that it was signed under.
  uint32_t epoch;
  // Bytes of the snapshot.
  uint32_t file_len;
  // Bytes of every chunk but the last.
  uint32_t chunk_len;
  // Number of chunks.
  uint32_t chunks;
  // Root of the snapshot.
  uint8_t root[32];
} gateward_manifest_fields;

// The hashes of all chunks of a snapshot, which stay where they arrived.
typedef struct {
  uint64_t opaque[GATEWARD_HASH_LIST_WORDS];
} gateward_hash_list;

// A function of the caller that takes `len` bytes for the place `offset` of what is written, and
// returns 0 where it could. It is called from the function that it was given to, and never later.
typedef uint32_t (*gateward_write)(void *context, uint32_t offset, const uint8_t *bytes, size_t len);

// A snapshot that was verified and that decisions are made with; its file stays where it is.
typedef struct {
  uint64_t opaque[GATEWARD_SNAPSHOT_WORDS];
} gateward_snapshot;

// A revocation list, and where its bits go.
typedef struct {
  // The list as it was signed.
  const uint8_t *envelope;
  // Bytes of `envelope`.
  size_t envelope_len;
  // The bits, which belong to the snapshot from then on; those that it has already may be given.
  uint8_t *bits;
  // Bytes of `bits`, as `gateward_revoked_room` says.
  size_t bits_len;
  // Number of the list that `bits` stand for already, of this very snapshot; 0 for none. Whoever keeps
  // bits over a restart says so, and writes them down before the floor.
  uint64_t kept;
  // Epoch of that list.
  uint32_t kept_epoch;
  // Zero.
  uint32_t zero;
} gateward_list;

// The time that may be trusted, followed through one run of the program.
typedef struct {
  uint64_t opaque[GATEWARD_CLOCK_WORDS];
} gateward_clock;

// What the machine's clock shows.
typedef struct {
  // Seconds since 1970; 0 where there is no clock.
  uint64_t clock;
  // 1 where something vouches for the clock, else 0.
  uint32_t synchronised;
  // Zero.
  uint32_t zero;
} gateward_shown;

// The text of a token, read. It holds the secret: clear it.
typedef struct {
  uint64_t opaque[GATEWARD_TOKEN_WORDS];
} gateward_token;

// What is asked.
typedef struct {
  // Any of these permissions suffices; see `gateward_permission_find`.
  uint64_t permissions;
  // The division by its name or its id, in text; null where it is not said.
  const uint8_t *division;
  // Bytes of `division`.
  size_t division_len;
  // One of `GATEWARD_OPERATION_*`.
  uint32_t operation;
  // One of `GATEWARD_MODE_*`.
  uint32_t mode;
  // Any of `GATEWARD_RULE_*`; 0 for none.
  uint32_t rules;
  // Zero.
  uint32_t zero;
} gateward_request;

// A question, prepared for one snapshot and for any number of tokens.
typedef struct {
  uint64_t opaque[GATEWARD_ASK_WORDS];
} gateward_ask;

// What was decided. The request may go on where `verdict` is `GATEWARD_CLASS_ALLOW`, and only
// there.
typedef struct {
  // One of `GATEWARD_CLASS_*`.
  uint32_t verdict;
  // Why, as a number of records: for the record, never for whoever asked.
  uint32_t reason;
  // Every check that failed, a bit each in the order in which reasons are given.
  uint32_t failed;
  // Who acts, for `gateward_principal_name`; `GATEWARD_NONE` where the secret did not match.
  uint32_t principal;
  // The permission that was used or that was missing; `GATEWARD_NONE` where none was asked for.
  uint32_t permission;
  // The kind of token, as presented: 1 API token, 2 service token, 0 another product's.
  uint32_t kind;
  // The id of the token, as presented.
  uint64_t id;
} gateward_decision;

// A text in UTF-8, not ended by a zero byte. One in a `gateward_record` is left out where `bytes` is
// null.
typedef struct {
  // The first byte.
  const uint8_t *bytes;
  // How many.
  size_t len;
} gateward_text;

// One line of the audit. `gateward_record_start` fills it from a decision; the caller adds what it
// knows of the request.
typedef struct {
  // Counted from 1, without gaps, across restarts.
  uint64_t seq;
  // Milliseconds since 1970.
  uint64_t created_at_ms;
  // Run time in milliseconds.
  uint64_t mono_ms;
  // Version of the snapshot that decided.
  uint64_t snapshot_version;
  // Id of the token.
  uint64_t token_id;
  // First number that an event is about.
  uint64_t span_first;
  // Last number that an event is about.
  uint64_t span_last;
  // Which start of the program wrote it, counted from 1.
  uint32_t boot;
  // One of `GATEWARD_TIME_*`.
  uint32_t quality;
  // One of `GATEWARD_OUTCOME_*`.
  uint32_t outcome;
  // Why, or which event.
  uint32_t reason;
  // 0 none, 1 API token, 2 service user, 3 client certificate, 4 device.
  uint32_t authentication;
  // One of `GATEWARD_CREDENTIAL_*`.
  uint32_t credential;
  // Kind of the token.
  uint32_t token_kind;
  // One of `GATEWARD_OPERATION_*`; 0 is left out.
  uint32_t operation;
  // The permission; `GATEWARD_NONE` is left out.
  uint32_t permission;
  // Number of the method, as records have it; 0 is left out.
  uint32_t method;
  // 1 where the snapshot was stale, else 0.
  uint32_t stale;
  // How many requests this stands for, at least 1.
  uint32_t count;
  // How many records were lost just before.
  uint32_t dropped_before;
  // 1 where `span_first` and `span_last` count, else 0.
  uint32_t has_span;
  // Which rule matched; `GATEWARD_NONE` is left out.
  uint32_t route;
  // Epoch of the snapshot that an event is about.
  uint32_t snapshot_epoch;
  // Who it was, 16 bytes; null where nobody is known.
  const uint8_t *principal_id;
  // The name beside `principal_id`.
  gateward_text principal_name;
  // The division, 16 bytes, or null.
  const uint8_t *division_id;
  // Root of the snapshot that an event is about, 32 bytes, or null.
  const uint8_t *snapshot_root;
  // What was to be done.
  gateward_text action;
  // What it was about. What looks like a token is masked, as in the next two.
  gateward_text resource;
  // The path.
  gateward_text path;
  // The caller's own number of the request.
  gateward_text request_id;
  // 4 or 16 bytes of an address, or 4 of a user id in the machine's order; null where unknown.
  const uint8_t *source;
  // 0 unknown, 1 user id, 4 IPv4, 6 IPv6.
  uint32_t source_kind;
  // Zero.
  uint32_t zero;
} gateward_record;

// The parts of a bundle, where they stand; nothing of them has been checked.
typedef struct {
  // The signed manifest.
  gateward_text manifest;
  // The hash list.
  gateward_text list;
  // The snapshot.
  gateward_text file;
  // The signed revocation list; of length 0 where there is none.
  gateward_text revoked;
} gateward_bundle;

// The call did what it was asked.
#define GATEWARD_OK 0u

// A pointer is null that must not be.
#define GATEWARD_NULL 1u

// A length is longer than an object can be, or not the one that belongs here.
#define GATEWARD_LENGTH 2u

// A pointer to one of the types of this header is not aligned to 8 bytes.
#define GATEWARD_MISALIGNED 3u

// The storage holds nothing, or something of another type: call what fills it first.
#define GATEWARD_EMPTY 4u

// A number is outside what can be meant.
#define GATEWARD_ABSURD 5u

// The buffer is too small.
#define GATEWARD_NO_ROOM 6u

// The function that writes said no; what was written so far is of no use.
#define GATEWARD_BROKEN 7u

// The time is 0: there is no default, say how late it is (DOMAIN L5).
#define GATEWARD_NO_TIME 8u

// A text is not UTF-8.
#define GATEWARD_TEXT 9u

// There is nothing of this name or number.
#define GATEWARD_UNKNOWN 10u

// The text is not that of a token.
#define GATEWARD_TOKEN 16u

// The question was prepared for another snapshot: prepare it again.
#define GATEWARD_OTHER_SNAPSHOT 17u

// A revocation list was held once and has to be given again before anything is decided.
#define GATEWARD_LIST_OWED 18u

// The snapshot is older than the revocation list builds on, and what earlier lists held is not
// here: only a newer snapshot helps.
#define GATEWARD_NEEDS_NEWER 19u

// The snapshot was signed with a key that has been called compromised since.
#define GATEWARD_VOID 20u

// See `absurd` in the list of refusals, `core/docs/format.md` section 13; as the next ones.
#define GATEWARD_REFUSED_ABSURD 32u

// The key set asks for an algorithm that this build does not have.
#define GATEWARD_REFUSED_ALGORITHM 33u

// The floor is not what was written.
#define GATEWARD_REFUSED_DAMAGED 34u

// It has expired.
#define GATEWARD_REFUSED_EXPIRED 35u

// Two snapshots were signed under one number.
#define GATEWARD_REFUSED_FORK 36u

// The hash list is not the one that the manifest names.
#define GATEWARD_REFUSED_HASH_LIST 37u

// It says a time later than a synchronised clock allows.
#define GATEWARD_REFUSED_ISSUED_AHEAD 38u

// The key set it was signed under has expired.
#define GATEWARD_REFUSED_KEYS_EXPIRED 39u

// The key set cannot be used.
#define GATEWARD_REFUSED_KEYS_UNUSABLE 40u

// It cannot be read.
#define GATEWARD_REFUSED_MALFORMED 41u

// It belongs to a later epoch: take the key sets in between first.
#define GATEWARD_REFUSED_NEWER_KEYS 42u

// It belongs to an earlier epoch.
#define GATEWARD_REFUSED_OLD_KEYS 43u

// It is for another account.
#define GATEWARD_REFUSED_OTHER_ACCOUNT 44u

// It is for another group of gateways.
#define GATEWARD_REFUSED_OTHER_AUDIENCE 45u

// It is for another gateway.
#define GATEWARD_REFUSED_OTHER_GATEWAY 46u

// It is another type of object.
#define GATEWARD_REFUSED_OTHER_TYPE 47u

// It is older than what was accepted.
#define GATEWARD_REFUSED_ROLLBACK 48u

// It is longer than anything of its type.
#define GATEWARD_REFUSED_TOO_LONG 49u

// It was issued later than anybody else says that it is.
#define GATEWARD_REFUSED_UNCONFIRMED 50u

// Fewer keys signed it than must.
#define GATEWARD_REFUSED_UNSIGNED 51u

// It is in a format that this build does not read.
#define GATEWARD_REFUSED_FORMAT 52u

// The bytes are not one whole bundle.
#define GATEWARD_REFUSED_BUNDLE 53u

// A count in the snapshot is past its limit.
#define GATEWARD_SNAPSHOT_COUNTS 64u

// The directory of the snapshot does not fit its ids.
#define GATEWARD_SNAPSHOT_DIRECTORY 65u

// The extensions of the snapshot cannot be read.
#define GATEWARD_SNAPSHOT_EXTENSION 66u

// The snapshot is shorter or longer than it says.
#define GATEWARD_SNAPSHOT_LENGTH 67u

// A name in the snapshot is malformed.
#define GATEWARD_SNAPSHOT_NAME 68u

// A record stands twice or out of order.
#define GATEWARD_SNAPSHOT_ORDER 69u

// The snapshot is for another account than its manifest.
#define GATEWARD_SNAPSHOT_OTHER_ACCOUNT 70u

// A record points past its table.
#define GATEWARD_SNAPSHOT_REFERENCE 71u

// Reserved bytes are not zero.
#define GATEWARD_SNAPSHOT_RESERVED 72u

// The snapshot, or the chunk, is not the one that the manifest names.
#define GATEWARD_SNAPSHOT_ROOT 73u

// The divisions of a principal are malformed.
#define GATEWARD_SNAPSHOT_SCOPE 74u

// The snapshot needs a feature that this build lacks.
#define GATEWARD_SNAPSHOT_FEATURE 75u

// The file is not a snapshot that this build reads.
#define GATEWARD_SNAPSHOT_FORMAT 76u

// A status in the snapshot is unknown to this build.
#define GATEWARD_SNAPSHOT_STATUS 77u

// The delta refers to a record that would not be there.
#define GATEWARD_DELTA_DANGLING 96u

// The bytes are not a delta, or not the one that the manifest names.
#define GATEWARD_DELTA_MALFORMED 97u

// The delta takes away what is not there.
#define GATEWARD_DELTA_MISSING 98u

// The delta has a record twice or out of order.
#define GATEWARD_DELTA_ORDER 99u

// The delta starts from another snapshot.
#define GATEWARD_DELTA_OTHER_BASE 100u

// The delta grows past a limit of the format.
#define GATEWARD_DELTA_TOO_MANY 101u

// The delta is in a format that this build does not read.
#define GATEWARD_DELTA_FORMAT 102u

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Returns `GATEWARD_ABI_VERSION`, so that a program can refuse a library that it was not built for.
uint32_t gateward_abi_version(void);

// Returns a sentence in English for `status`, ended by a zero byte; it lives as long as the program.
// A number that no status has gives a sentence too.
const char *gateward_strerror(gateward_status status);

// Stores the audience of a group of gateways at `audience`, `GATEWARD_ID_SIZE` bytes.
//
// The caller promises:
// `account` points to `GATEWARD_ID_SIZE` bytes, `group` to `group_len` bytes of text, `audience`
// to `GATEWARD_ID_SIZE` bytes that hold something; or any is null.
gateward_status gateward_audience(const uint8_t *account,
                                  const uint8_t *group,
                                  size_t group_len,
                                  uint8_t *audience);

// Stores the floor of a machine that has never accepted anything.
//
// The caller promises:
// `floor` points to a floor, or is null.
gateward_status gateward_floor_start(gateward_floor *floor);

// Takes the key set that was installed at enrolment: whoever installed it vouches for it.
//
// The caller promises:
// `envelope` points to `len` bytes, `account` to `GATEWARD_ID_SIZE` bytes, `keys` to storage; or
// any is null.
gateward_status gateward_keys_anchor(const uint8_t *envelope,
                                     size_t len,
                                     const uint8_t *account,
                                     gateward_keys *keys);

// Takes the key set of the next epoch in the place of the one held, and raises the floor by it. Write
// the floor down before anything else is accepted, and the key set before the floor.
//
// What is in force has to hear of it: `gateward_snapshot_follow`.
//
// The caller promises:
// `keys` points to storage, `envelope` to `len` bytes, `floor` to a floor; or any is null.
gateward_status gateward_keys_follow(gateward_keys *keys,
                                     const uint8_t *envelope,
                                     size_t len,
                                     gateward_floor *floor);

// Stores the epoch of a key set.
//
// The caller promises:
// `keys` points to storage and `epoch` to a number, or either is null.
gateward_status gateward_keys_epoch(const gateward_keys *keys, uint32_t *epoch);

// Verifies a manifest with the key set of its epoch, for one group of gateways.
//
// The caller promises:
// `keys` points to storage, `audience` to 16 bytes, `envelope` to `len` bytes, `manifest` to
// storage; or any is null.
gateward_status gateward_manifest_verify(const gateward_keys *keys,
                                         const uint8_t *audience,
                                         const uint8_t *envelope,
                                         size_t len,
                                         gateward_manifest *manifest);

// Checks that a manifest may be in force: it is already, or it may follow what is, and then the floor
// remembers that there is such a snapshot, whether or not its file ever comes. `keys` is the newest key
// set held. What is in force has to hear of it: `gateward_snapshot_follow`.
//
// The caller promises:
// `manifest` and `keys` point to storage, `floor` to a floor, `now` to a time; or any is null.
gateward_status gateward_manifest_admit(const gateward_manifest *manifest,
                                        const gateward_keys *keys,
                                        gateward_floor *floor,
                                        const gateward_now *now);

// Stores what a manifest says.
//
// The caller promises:
// `manifest` points to storage and `info` to a struct, or either is null.
gateward_status gateward_manifest_info(const gateward_manifest *manifest,
                                       gateward_manifest_fields *info);

// Checks a hash list against its manifest. The list stays where it is.
//
// The caller promises:
// `manifest` points to storage, `bytes` to `len` bytes that stay, `list` to storage; or any is null.
gateward_status gateward_hash_list_check(const gateward_manifest *manifest,
                                         const uint8_t *bytes,
                                         size_t len,
                                         gateward_hash_list *list);

// Verifies the chunk at `index` and hands it to `write`, whole, with its place in the file.
// Chunks may come in any order, and more than once.
//
// The caller promises:
// `list` points to storage and `chunk` to `len` bytes, or either is null; `write` can be called with
// `context`.
gateward_status gateward_chunk_write(const gateward_hash_list *list,
                                     uint32_t index,
                                     const uint8_t *chunk,
                                     size_t len,
                                     gateward_write write,
                                     void *context);

// Stores how many bytes of room a delta needs beside the file that it makes.
//
// The caller promises:
// `delta` points to `len` bytes and `bytes` to a number, or either is null.
gateward_status gateward_delta_room(const uint8_t *delta, size_t len, size_t *bytes);

// Makes the snapshot that `target` names out of the one in force and hands it to `write`, front to
// back, in pieces. `room` is memory to work in, aligned to 4 bytes: as much as
// `gateward_delta_room` says, and faster with more.
//
// What was written is then opened as any other file is: only that says that it is right.
//
// The caller promises:
// `base` and `target` point to storage, `delta` to `len` bytes, `room` to `room_len` bytes that hold
// something; or any is null. `write` can be called with `context`.
gateward_status gateward_delta_apply(const gateward_snapshot *base,
                                     const gateward_manifest *target,
                                     const uint8_t *delta,
                                     size_t len,
                                     uint8_t *room,
                                     size_t room_len,
                                     gateward_write write,
                                     void *context);

// Opens the snapshot at `file`, where it is: checks that its manifest may be in force, every byte
// against the manifest, and every record. `keys` is the newest key set held.
//
// The file stays where it is, unchanged, for as long as the snapshot is used.
//
// The caller promises:
// `manifest` and `keys` point to storage, `floor` to a floor, `now` to a time, `file` to `len` bytes
// that stay, `snapshot` to storage; or any is null.
gateward_status gateward_snapshot_open(const gateward_manifest *manifest,
                                       const gateward_keys *keys,
                                       const gateward_floor *floor,
                                       const gateward_now *now,
                                       const uint8_t *file,
                                       size_t len,
                                       gateward_snapshot *snapshot);

// Raises the floor by a snapshot that was opened: written down, that is what puts it in force. A
// floor that has risen past it since stays as it is.
//
// The caller promises:
// `snapshot` points to storage and `floor` to a floor, or either is null.
gateward_status gateward_snapshot_commit(const gateward_snapshot *snapshot, gateward_floor *floor);

// Takes a later manifest of the same snapshot, so that it is valid for longer; the bytes are not
// read again. `gateward_snapshot_commit` follows, as after opening.
//
// The caller promises:
// `snapshot`, `manifest` and `keys` point to storage, `floor` to a floor, `now` to a time; or any is
// null.
gateward_status gateward_snapshot_refresh(gateward_snapshot *snapshot,
                                          const gateward_manifest *manifest,
                                          const gateward_keys *keys,
                                          const gateward_floor *floor,
                                          const gateward_now *now);

// Takes a later floor and the newest key set: what is in force may be stale by it, or void. Call it
// whenever either has changed.
//
// The caller promises:
// `snapshot` and `keys` point to storage and `floor` to a floor, or any is null.
gateward_status gateward_snapshot_follow(gateward_snapshot *snapshot,
                                         const gateward_keys *keys,
                                         const gateward_floor *floor);

// Stores what the manifest of the snapshot says.
//
// The caller promises:
// `snapshot` points to storage and `info` to a struct, or either is null.
gateward_status gateward_snapshot_info(const gateward_snapshot *snapshot,
                                       gateward_manifest_fields *info);

// Stores how many bytes `gateward_revoked_take` needs for the bits of this snapshot.
//
// The caller promises:
// `snapshot` points to storage and `bytes` to a number, or either is null.
gateward_status gateward_revoked_room(const gateward_snapshot *snapshot, size_t *bytes);

// Takes a revocation list: writes what it revokes in this snapshot as bits, and raises the floor by
// it. No check may run meanwhile. A list that was held is taken again after a restart. Where it leaves
// out what nobody has any more, it is taken all the same, and checks say `GATEWARD_NEEDS_NEWER`. A machine
// that begins with a bundle takes its list before it commits its snapshot.
//
// `list_keys` is the key set of the list's epoch, `keys` the newest that is held.
//
// The caller promises:
// `snapshot`, `list_keys` and `keys` point to storage, `audience` to 16 bytes, `floor` to a floor, `list`
// to a struct whose pointers point to as many bytes as it says, those of `bits` staying; or any is null.
gateward_status gateward_revoked_take(gateward_snapshot *snapshot,
                                      const gateward_keys *list_keys,
                                      const gateward_keys *keys,
                                      const uint8_t *audience,
                                      gateward_floor *floor,
                                      const gateward_list *list);

// Starts to follow the time. `build` is when the program was built, in seconds since 1970; `mono` is
// the run time in milliseconds.
//
// The caller promises:
// `floor` points to a floor and `clock` to storage, or either is null.
gateward_status gateward_clock_start(uint64_t build,
                                     const gateward_floor *floor,
                                     uint64_t mono,
                                     gateward_clock *clock);

// Stores how late it is at run time `mono`.
//
// The caller promises:
// `clock` points to storage, `on_display` and `now` to structs; or any is null.
gateward_status gateward_clock_now(const gateward_clock *clock,
                                   uint64_t mono,
                                   const gateward_shown *on_display,
                                   gateward_now *now);

// Brings the floor up to run time `mono`: before anything is accepted into it, at least every ten
// minutes, and at stop. `until` is the end of the snapshot in force; a clock that jumped ahead does
// not stick beyond it. After something was accepted, call `gateward_clock_start` with the new floor.
//
// The caller promises:
// `clock` points to storage, `on_display` to a struct, `floor` to a floor; or any is null.
gateward_status gateward_clock_keep(const gateward_clock *clock,
                                    uint64_t mono,
                                    const gateward_shown *on_display,
                                    uint64_t until,
                                    gateward_floor *floor);

// Takes a beacon: what time it is, and what is the newest. What is in force has to hear of it:
// `gateward_snapshot_follow`.
//
// The caller promises:
// `keys` points to storage, `audience` to 16 bytes, `floor` to a floor, `now` to a time, `envelope`
// to `len` bytes; or any is null.
gateward_status gateward_beacon_take(const gateward_keys *keys,
                                     const uint8_t *audience,
                                     gateward_floor *floor,
                                     const gateward_now *now,
                                     const uint8_t *envelope,
                                     size_t len);

// Reads the text of a token into `token`. Clear it once it is checked.
//
// The caller promises:
// `text` points to `len` bytes and `token` to storage, or either is null.
gateward_status gateward_token_read(const uint8_t *text, size_t len, gateward_token *token);

// Wipes a token.
//
// The caller promises:
// `token` points to storage, or is null.
gateward_status gateward_token_clear(gateward_token *token);

// Stores the public part of a token, which logs may show: `GATEWARD_LOOKUP_SIZE` characters.
//
// The caller promises:
// `token` points to storage and `lookup` to `GATEWARD_LOOKUP_SIZE` bytes that hold something, or
// either is null.
gateward_status gateward_token_lookup(const gateward_token *token, uint8_t *lookup);

// Prepares a question for one snapshot: for any number of tokens, until the snapshot is replaced.
//
// The caller promises:
// `snapshot` points to storage, `request` to a struct whose `division` is null or points to
// `division_len` bytes, `ask` to storage; or any is null.
gateward_status gateward_ask_prepare(const gateward_snapshot *snapshot,
                                     const gateward_request *request,
                                     gateward_ask *ask);

// Decides whether whoever presents `token` may do what is asked.
//
// The caller promises:
// `snapshot`, `ask` and `token` point to storage, `now` to a time, `decision` to a struct; or any is
// null. The bits of `gateward_revoked_take` are still there.
gateward_status gateward_check(const gateward_snapshot *snapshot,
                               const gateward_ask *ask,
                               const gateward_token *token,
                               const gateward_now *now,
                               gateward_decision *decision);

// Does all of it at once: reads the text, prepares the question, decides, and wipes what it read. A
// text that cannot be a token is a status, the same answer as any other denial.
//
// The caller promises:
// As those three.
gateward_status gateward_check_text(const gateward_snapshot *snapshot,
                                    const gateward_request *request,
                                    const uint8_t *text,
                                    size_t len,
                                    const gateward_now *now,
                                    gateward_decision *decision);

// Starts a record with a decision: who, which token, why, by which snapshot.
//
// Names are told only where the secret matched.
//
// The caller promises:
// `snapshot` points to storage, `decision`, `now` and `record` to structs; or any is null.
gateward_status gateward_record_start(const gateward_snapshot *snapshot,
                                      const gateward_decision *decision,
                                      const gateward_now *now,
                                      gateward_record *record);

// Writes a record into `buffer`; `GATEWARD_RECORD_SIZE` bytes are always enough. Stores its length.
//
// The caller promises:
// `record` points to a struct whose pointers are null or point to as many bytes as they say,
// `buffer` to `len` bytes that hold something, `written` to a number; or any is null.
gateward_status gateward_record_encode(const gateward_record *record,
                                       uint8_t *buffer,
                                       size_t len,
                                       size_t *written);

// Goes on by one record: stores its tag at `tag`, the new head at `head`, and the next key at `key`,
// where the old one is lost. Nobody who finds the key later can write another record in its place.
//
// The caller promises:
// `head` and `key` point to `GATEWARD_HEAD_SIZE` bytes, `record` to `len` bytes, `tag` to
// `GATEWARD_TAG_SIZE` bytes that hold something; or any is null.
gateward_status gateward_chain_next(uint8_t *head,
                                    uint8_t *key,
                                    const uint8_t *record,
                                    size_t len,
                                    uint8_t *tag);

// Stores the name of a reason, such as `token_expired`.
//
// The caller promises:
// `name` points to a struct, or is null.
gateward_status gateward_reason_name(uint32_t reason, gateward_text *name);

// Stores the username of a principal, or the friendly name of a service user, and its id, 16 bytes.
//
// The caller promises:
// `snapshot` points to storage, `name` to a struct, `id` to 16 bytes that hold something; or any is
// null.
gateward_status gateward_principal_name(const gateward_snapshot *snapshot,
                                        uint32_t principal,
                                        gateward_text *name,
                                        uint8_t *id);

// Stores the name of the division at `index`, counted from 0 in the order of the ids, and its id, 16
// bytes.
//
// The caller promises:
// `snapshot` points to storage, `name` to a struct, `id` to 16 bytes that hold something; or any is
// null.
gateward_status gateward_division_name(const gateward_snapshot *snapshot,
                                       uint32_t index,
                                       gateward_text *name,
                                       uint8_t *id);

// Stores the name of the permission with this bit, such as `manage_device`.
//
// The caller promises:
// `snapshot` points to storage and `name` to a struct, or either is null.
gateward_status gateward_permission_name(const gateward_snapshot *snapshot,
                                         uint32_t permission,
                                         gateward_text *name);

// Stores the set that holds the permission called `id` and nothing else: sets are put together with
// `|`.
//
// The caller promises:
// `snapshot` points to storage, `id` to `len` bytes, `set` to a number; or any is null.
gateward_status gateward_permission_find(const gateward_snapshot *snapshot,
                                         const uint8_t *id,
                                         size_t len,
                                         uint64_t *set);

// Cuts a bundle into its parts.
//
// The caller promises:
// `bytes` points to `len` bytes and `bundle` to a struct, or either is null.
gateward_status gateward_bundle_read(const uint8_t *bytes, size_t len, gateward_bundle *bundle);

// Walks from the key set held to the newest of the bundle, and raises the floor by each. One that is held
// or was before is passed over; where one does not follow, those before it stay taken.
//
// The caller promises:
// `bytes` points to `len` bytes, `keys` to storage, `floor` to a floor; or any is null.
gateward_status gateward_bundle_walk(const uint8_t *bytes,
                                     size_t len,
                                     gateward_keys *keys,
                                     gateward_floor *floor);

// A compiler that lays out a type in another way says so here.
#define GATEWARD_SIZE(type, bytes) \
  typedef char gateward_##type##_size[sizeof(gateward_##type) == (bytes) ? 1 : -1]
GATEWARD_SIZE(ask, 8 * GATEWARD_ASK_WORDS);
GATEWARD_SIZE(clock, 8 * GATEWARD_CLOCK_WORDS);
GATEWARD_SIZE(hash_list, 8 * GATEWARD_HASH_LIST_WORDS);
GATEWARD_SIZE(keys, 8 * GATEWARD_KEYS_WORDS);
GATEWARD_SIZE(manifest, 8 * GATEWARD_MANIFEST_WORDS);
GATEWARD_SIZE(snapshot, 8 * GATEWARD_SNAPSHOT_WORDS);
GATEWARD_SIZE(token, 8 * GATEWARD_TOKEN_WORDS);
GATEWARD_SIZE(bundle, 0 + 8 * sizeof(void *));
GATEWARD_SIZE(decision, 32 + 0 * sizeof(void *));
GATEWARD_SIZE(floor, 464 + 0 * sizeof(void *));
GATEWARD_SIZE(list, 16 + 4 * sizeof(void *));
GATEWARD_SIZE(manifest_fields, 88 + 0 * sizeof(void *));
GATEWARD_SIZE(now, 24 + 0 * sizeof(void *));
GATEWARD_SIZE(record, 128 + 14 * sizeof(void *));
GATEWARD_SIZE(request, 24 + 2 * sizeof(void *));
GATEWARD_SIZE(shown, 16 + 0 * sizeof(void *));
GATEWARD_SIZE(status, 4 + 0 * sizeof(void *));
GATEWARD_SIZE(text, 0 + 2 * sizeof(void *));
#undef GATEWARD_SIZE

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* GATEWARD_H */
