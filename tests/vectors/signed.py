"""Signatures, envelopes and key sets, and all that is signed: section 6 of format.md."""

from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from floor import signers
from wire import Record, Refused, require, sha256, whole

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
# By number: the algorithm, and how long its public keys are.
ALGORITHMS = {1: (Ed25519PublicKey, 32), 2: (MLDSA65PublicKey, 1_952)}
ROOT, SNAPSHOT, BEACON, COLLECTOR = range(4)
ROLES = {"manifest": SNAPSHOT, "revoked": SNAPSHOT, "beacon": BEACON, "receipt": COLLECTOR}
OTHERS = {"audience": "other_audience", "gateway": "other_gateway", "incarnation": "other_gateway"}
TIME_QUALITIES = ("synced", "holdover", "floor", "unknown")

ENVELOPE = "typ:u8 payload:blob signatures:8*(key:8,alg:u8,bytes:blob)"
IN_GROUP = "account:16 audience:16 keyset:v32"
OF_GATEWAY = "account:16 gateway:16 incarnation:8"
# What follows fmt, by the word in the domain, in the order of typ.
PAYLOADS = {
    "manifest": f"{IN_GROUP} version:v64 issued_at:v64 stale_after:v32 expires_after:v32"
    " file_len:v32 chunk_log2:u8 root:32 revoked_counter:v64 allow:u8"
    " deltas:4*(from:v64,len:v32,sha256:32)",
    "keyset": "account:16 epoch:v32 issued_at:v64 expires:v64 thresholds:4 required:4"
    " keys:16*(public:blob,alg:u8,roles:u8,audiences:?8*16) retired:32*8 compromised:32*8",
    "beacon": f"{IN_GROUP} number:v64 time:v64 version:v64 revoked_counter:v64",
    "revoked": f"{IN_GROUP} counter:v64 base_version:v64 issued_at:v64 lists:rest",
    "checkpoint": f"{OF_GATEWAY} number:v64 head:32 time:v64 boot:v32",
    "receipt": f"{OF_GATEWAY} through:v64 head:32 time:v64",
    "status": f"{OF_GATEWAY} boot:v32 keyset:v32 version:v64 root8:8 revoked_counter:v64"
    " floor_time:v64 audit_number:v64 audit_head:32 backlog:v64 time_quality:u8 gone:flag",
}


def is_point(encoded: bytes) -> bool:
    """Whether this is a point of y² - x² = 1 + D x² y² that is not of small order.

    Twice a point of order 8 has y = 0, so there x² = -y² and D y⁴ + 2 y² = 1. The others of small
    order have a y of 0, 1 or -1. So x is not 0 here, and either sign is good.
    """
    y = int.from_bytes(encoded, "little") & (1 << 255) - 1
    small = y * (y * y - 1) * (D * y**4 + 2 * y * y - 1) % P == 0
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P)
    return y < P and not small and pow(x_squared, (P - 1) // 2, P) == 1


def is_key(alg: int, public: bytes) -> bool:
    return len(public) == ALGORITHMS[alg][1] and (alg != 1 or is_point(public))


def verifies(alg: int, public: bytes, signature: bytes, message: bytes) -> bool:
    """Leaves the equations to `cryptography`, which does not look for points of small order."""
    if not is_key(alg, public) or (alg == 1 and not is_point(signature[:32])):
        return False
    try:
        ALGORITHMS[alg][0].from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(public: bytes) -> bytes:
    return sha256(public)[:8]


class Envelope:
    """What carries every signed object; nothing in it is verified yet."""

    def __init__(self, data: bytes, name: str) -> None:
        require(len(data) <= 65_536, "too_long")
        self.name, self.parts = name, whole(data, ENVELOPE)
        require(self.parts.typ == 1 + list(PAYLOADS).index(name), "other_type")

    def body(self) -> Record:
        require(self.parts.payload, "malformed")
        require(self.parts.payload[0] == 1, "unknown_format")
        return whole(self.parts.payload[1:], PAYLOADS[self.name])

    def signed_by(self, public: bytes, alg: int = 1) -> bool:
        message = f"gwd-{self.name}-v1\0".encode() + self.parts.payload
        own = (one for one in self.parts.signatures if (one.key, one.alg) == (key_id(public), alg))
        return any(verifies(alg, public, one.bytes, message) for one in own)


class KeySet(Record):
    """Section 6.2; `key_set` makes them."""

    def check_usable(self) -> None:
        """Looks at keys and thresholds; keys of unknown algorithms are passed over."""
        self.keys = [key for key in self.keys if key.alg in ALGORITHMS]
        # By role: those that must have signed, as far as this reader has them.
        self.algorithms = [[alg for alg in ALGORITHMS if n >> alg - 1 & 1] for n in self.required]
        for key in self.keys:
            key.id = key_id(key.public)
            key.void = key.id in self.retired + self.compromised
        roots = [key.alg for key in self.candidates(ROOT, None)]
        limits = zip(self.thresholds, self.required)
        usable = (
            all(is_key(key.alg, key.public) for key in self.keys)
            and len({key.public for key in self.keys}) == len(self.keys)
            and all(bits & 1 and 1 <= n and n * bits.bit_count() <= 8 for n, bits in limits)
            and all(roots.count(alg) >= self.thresholds[ROOT] for alg in self.algorithms[ROOT])
        )
        require(usable, "keys_unusable")

    def candidates(self, role: int, audience: bytes | None) -> list[Record]:
        """Returns the keys that may sign as `role` for `audience`, or for what has none."""
        able = [key for key in self.keys if key.roles >> role & 1 and not key.void]
        return [key for key in able if key.audiences is None or audience in key.audiences]

    def check(self, envelope: Envelope, role: int, audience: bytes | None = None) -> bytes:
        """Returns who signed, where that is enough."""
        require(self.required[role] >> len(ALGORITHMS) == 0, "algorithm_missing")
        found = []
        for alg in self.algorithms[role]:
            keys = [key for key in self.candidates(role, audience) if key.alg == alg]
            signed = [(alg, key.id) for key in keys if envelope.signed_by(key.public, alg)]
            require(len(signed) >= self.thresholds[role], "bad_signature")
            found += signed
        return signers(self.thresholds[role], found)

    def unsettles(self, held: "KeySet") -> bool:
        """Whether it newly calls a key compromised that is not known to tell no time."""
        keys, telling = held.keys + self.keys, 1 << SNAPSHOT | 1 << BEACON
        harmless = {key.id for key in keys} - {key.id for key in keys if key.roles & telling}
        return bool(set(self.compromised) - set(held.compromised) - harmless)


def key_set(data: bytes, account: bytes, held: KeySet | None = None) -> KeySet:
    """Reads the set that follows `held`, or the anchor of enrolment."""
    envelope = Envelope(data, "keyset")
    own = KeySet(**vars(envelope.body()))
    require(own.account == account, "other_account")
    if held:
        require(own.epoch > held.epoch, "old_keys")
        require(own.epoch == held.epoch + 1, "newer_keys")
        held.check(envelope, ROOT)
    require(own.epoch >= 1 and own.issued_at < own.expires < 1 << 32, "absurd")
    own.check_usable()
    own.check(envelope, ROOT)
    return own


def walk(sets: Iterable[bytes], account: bytes, passed_over: str = "") -> KeySet:
    """Goes from the anchor through every set that follows; one refusal may be passed over."""
    held = None
    for data in sets:
        try:
            held = key_set(data, account, held)
        except Refused as refused:
            require(str(refused) == passed_over, str(refused))
    return held


def by_role(name: str, data: bytes, keys: KeySet, **own: bytes) -> Record:
    """Reads what a role signed for `own`, the reader; notes the signers and when keys are over."""
    envelope = Envelope(data, name)
    body = envelope.body()
    require(body.account == keys.account, "other_account")
    for field, value in own.items():
        require(vars(body)[field] == value, OTHERS[field])
    epoch = vars(body).get("keyset", keys.epoch)
    require(epoch >= keys.epoch, "old_keys")
    require(epoch <= keys.epoch, "newer_keys")
    body.signers = keys.check(envelope, ROLES[name], own.get("audience"))
    body.keys_expire = keys.expires
    return body


def manifest(data: bytes, keys: KeySet, audience: bytes) -> Record:
    body = by_role("manifest", data, keys, audience=audience)
    sane = body.issued_at < 1 << 32 and body.stale_after <= body.expires_after
    sane = sane and 1 <= body.expires_after <= 7_776_000 and 12 <= body.chunk_log2 <= 20
    require(sane and 80 <= body.file_len <= 1 << 28, "absurd")
    require(body.issued_at < keys.expires, "keys_expired")
    body.allow &= 3
    body.stale_at = body.issued_at + body.stale_after
    body.expires_at = body.issued_at + body.expires_after
    return body


def beacon(data: bytes, keys: KeySet, audience: bytes) -> Record:
    body = by_role("beacon", data, keys, audience=audience)
    require(body.time < keys.expires, "keys_expired")
    return body


def revocation_list(data: bytes, keys: KeySet, audience: bytes) -> Record:
    body = by_role("revoked", data, keys, audience=audience)
    lists = whole(body.lists, "tokens:4096*v64 principals:4096*v32")
    ascending = all(one == sorted(set(one)) for one in vars(lists).values())
    require(ascending and len(lists.tokens + lists.principals) <= 4_096, "malformed")
    require(body.issued_at < 1 << 32, "absurd")
    return Record(**vars(body) | vars(lists))


def of_gateway(name: str, data: bytes, key: bytes, account: bytes, gateway: bytes) -> Record:
    """Reads a checkpoint or a status, which the gateway signed itself."""
    envelope = Envelope(data, name)
    require(envelope.signed_by(key), "bad_signature")
    body = envelope.body()
    if name == "status":
        require(body.time_quality < len(TIME_QUALITIES), "malformed")
        body.time_quality = TIME_QUALITIES[body.time_quality]
    require(body.account == account, "other_account")
    require(body.gateway == gateway, "other_gateway")
    return body


def message(data: bytes) -> Record:
    """Section 6.6: takes apart what arrives on the topic `manifest`."""
    require(len(data) <= 1 << 20, "too_long")
    parts = whole(data, "envelope:blob deltas:4*(from:v64,bytes:blob)")
    require(len(parts.envelope) <= 65_536, "too_long")
    return parts
