"""Signed objects: section 6 of format.md."""

from __future__ import annotations

from dataclasses import dataclass

import ed25519
import mldsa65
from floor import Signers
from framing import Reader, require, sha256

MANIFEST, KEY_SET, BEACON, REVOKED, CHECKPOINT, RECEIPT, STATUS = range(1, 8)
DOMAINS = {
    MANIFEST: b"gwd-manifest-v1\0",
    KEY_SET: b"gwd-keyset-v1\0",
    BEACON: b"gwd-beacon-v1\0",
    REVOKED: b"gwd-revoked-v1\0",
    CHECKPOINT: b"gwd-checkpoint-v1\0",
    RECEIPT: b"gwd-receipt-v1\0",
    STATUS: b"gwd-status-v1\0",
}
ALGORITHMS = {1: ed25519, 2: mldsa65}
ROOT, SNAPSHOT, BEACONS, COLLECTOR = range(4)
TIME_QUALITIES = ("synced", "holdover", "floor", "unknown")


def key_id(public: bytes) -> bytes:
    return sha256(public)[:8]


class Envelope:
    """What carries every signed object; nothing in it is verified yet."""

    def __init__(self, data: bytes, expected: int) -> None:
        require(len(data) <= 65_536, "too_long")
        reader = Reader(data)
        typ = reader.u8()
        self.payload = reader.blob()
        self.signatures = reader.many(8, lambda: (reader.take(8), reader.u8(), reader.blob()))
        reader.end()
        require(typ == expected, "other_type")
        self.message = DOMAINS[expected] + self.payload

    def body(self) -> tuple[bytes, Reader]:
        """Returns the account and what follows it."""
        reader = Reader(self.payload)
        require(reader.u8() == 1, "unknown_format")
        return reader.take(16), reader

    def signed_by(self, public: bytes, alg: int = 1) -> bool:
        own = (s for name, of, s in self.signatures if name == key_id(public) and of == alg)
        return any(ALGORITHMS[alg].verifies(public, one, self.message) for one in own)


@dataclass
class Key:
    public: bytes
    alg: int
    roles: int
    audiences: list[bytes] | None

    @staticmethod
    def read(reader: Reader) -> Key:
        def groups() -> list[bytes]:
            return reader.many(8, lambda: reader.take(16))

        return Key(reader.blob(), reader.u8(), reader.u8(), reader.option(groups))

    @property
    def id(self) -> bytes:
        return key_id(self.public)


class KeySet:
    """Section 6.2. Made by `anchor` and by `follow` only, and usable once `settle` has looked."""

    def __init__(self, envelope: Envelope) -> None:
        self.account, reader = envelope.body()
        self.epoch = reader.v(32)
        self.issued_at, self.expires = reader.v(), reader.v()
        self.thresholds, self.required = reader.take(4), reader.take(4)
        keys = reader.many(16, lambda: Key.read(reader))
        self.retired = reader.many(32, lambda: reader.take(8))
        self.compromised = reader.many(32, lambda: reader.take(8))
        reader.end()
        self.keys = [key for key in keys if key.alg in ALGORITHMS]

    def settle(self, envelope: Envelope) -> KeySet:
        """Looks at its numbers, its keys and its own signatures."""
        require(self.epoch >= 1 and self.issued_at < self.expires < 1 << 32, "absurd")
        self.check_usable()
        self.check(envelope, ROOT)
        return self

    def check_usable(self) -> None:
        unusable = "keys_unusable"
        require(all(ALGORITHMS[key.alg].is_sound(key.public) for key in self.keys), unusable)
        require(len({key.public for key in self.keys}) == len(self.keys), unusable)
        require(all(bits & 1 for bits in self.required), unusable)
        require(all(1 <= count <= 8 for count in self.thresholds), unusable)
        signatures = zip(self.thresholds, self.required, strict=True)
        require(all(count * bits.bit_count() <= 8 for count, bits in signatures), unusable)
        for alg in self.algorithms(ROOT):
            roots = [key for key in self.candidates(ROOT, None) if key.alg == alg]
            require(len(roots) >= self.thresholds[ROOT], unusable)

    def algorithms(self, role: int) -> list[int]:
        """Returns those that must have signed, as far as this reader has them."""
        return [alg for alg in ALGORITHMS if self.required[role] >> alg - 1 & 1]

    def candidates(self, role: int, audience: bytes | None) -> list[Key]:
        """Returns the keys that may sign as `role` for `audience`, or for what has none."""
        return [
            key
            for key in self.keys
            if key.roles >> role & 1
            and key.id not in self.retired + self.compromised
            and (key.audiences is None or audience in key.audiences)
        ]

    def check(self, envelope: Envelope, role: int, audience: bytes | None = None) -> Signers:
        """Returns who signed, where that is enough."""
        found: list[tuple[int, bytes]] = []
        require(self.required[role] >> len(ALGORITHMS) == 0, "algorithm_missing")
        keys = self.candidates(role, audience)
        for alg in self.algorithms(role):
            signers = [
                key for key in keys if key.alg == alg and envelope.signed_by(key.public, alg)
            ]
            require(len(signers) >= self.thresholds[role], "bad_signature")
            found += [(alg, key.id) for key in signers]
        return Signers(self.thresholds[role], found)

    def unsettles(self, held: KeySet) -> bool:
        """Whether it newly calls a key compromised that is not known to tell no time."""
        telling = 1 << SNAPSHOT | 1 << BEACONS
        roles = {key.id: key.roles for key in held.keys}
        for key in self.keys:
            roles[key.id] = roles.get(key.id, 0) | key.roles
        new = [name for name in self.compromised if name not in held.compromised]
        return any(roles.get(name, telling) & telling for name in new)

    def expects(self, account: bytes, audience: bytes, own: bytes, epoch: int) -> None:
        """Checks whose and for whom something is that was signed for one group."""
        require(account == self.account, "other_account")
        require(audience == own, "other_audience")
        require(epoch >= self.epoch, "old_keys")
        require(epoch <= self.epoch, "newer_keys")

    @staticmethod
    def anchor(data: bytes, account: bytes) -> KeySet:
        envelope = Envelope(data, KEY_SET)
        own = KeySet(envelope)
        require(own.account == account, "other_account")
        return own.settle(envelope)

    def follow(self, data: bytes) -> KeySet:
        envelope = Envelope(data, KEY_SET)
        other = KeySet(envelope)
        require(other.account == self.account, "other_account")
        require(other.epoch > self.epoch, "old_keys")
        require(other.epoch == self.epoch + 1, "newer_keys")
        self.check(envelope, ROOT)
        return other.settle(envelope)

    def fields(self) -> dict[str, object]:
        return {
            "account": self.account.hex(),
            "epoch": self.epoch,
            "expires": self.expires,
            "issued_at": self.issued_at,
            "trusted": [
                [key.id.hex(), 0 if key.id in self.retired + self.compromised else key.roles & 15]
                for key in self.keys
            ],
        }


def walk(sets: list[bytes], account: bytes) -> KeySet:
    """Goes from the anchor through every set that follows."""
    held = KeySet.anchor(sets[0], account)
    for data in sets[1:]:
        held = held.follow(data)
    return held


def receipt(data: bytes, keys: KeySet, gateway: bytes, incarnation: bytes) -> dict[str, object]:
    envelope = Envelope(data, RECEIPT)
    account, reader = envelope.body()
    of, enrolment = reader.take(16), reader.take(8)
    through, head, time = reader.v(), reader.take(32), reader.v()
    reader.end()
    require(account == keys.account, "other_account")
    require((of, enrolment) == (gateway, incarnation), "other_gateway")
    keys.check(envelope, COLLECTOR)
    return {"head": head.hex(), "through": through, "time": time}


def of_gateway(
    data: bytes, typ: int, key: bytes, account: bytes, gateway: bytes
) -> dict[str, object]:
    """Reads a checkpoint or a status, which the gateway signed itself."""
    envelope = Envelope(data, typ)
    require(envelope.signed_by(key), "bad_signature")
    of, reader = envelope.body()
    whose, incarnation = reader.take(16), reader.take(8)
    fields: dict[str, object] = {"incarnation": incarnation.hex()}
    if typ == CHECKPOINT:
        fields |= {"number": reader.v(), "head": reader.take(32).hex()}
        fields |= {"time": reader.v(), "boot": reader.v(32)}
    else:
        fields |= {"boot": reader.v(32), "keyset": reader.v(32), "version": reader.v()}
        fields |= {"root8": reader.take(8).hex(), "revoked_counter": reader.v()}
        fields |= {"floor_time": reader.v(), "audit_number": reader.v()}
        fields |= {"audit_head": reader.take(32).hex(), "backlog": reader.v()}
        quality = reader.u8()
        require(quality < len(TIME_QUALITIES), "malformed")
        fields |= {"time_quality": TIME_QUALITIES[quality], "gone": reader.flag()}
    reader.end()
    require(of == account, "other_account")
    require(whose == gateway, "other_gateway")
    return fields


def message(data: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Takes apart what arrives on the topic `manifest`: section 6.6."""
    require(len(data) <= 1 << 20, "too_long")
    reader = Reader(data)
    envelope = reader.blob()
    deltas = reader.many(4, lambda: (reader.v(), reader.blob()))
    reader.end()
    require(len(envelope) <= 65_536, "too_long")
    return envelope, deltas
