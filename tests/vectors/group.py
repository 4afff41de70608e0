"""What is signed for one group: manifests, beacons and revocation lists, section 6 of format.md."""

from __future__ import annotations

from dataclasses import replace

from floor import Floor, Now
from framing import Reader, require
from signed import BEACON, BEACONS, MANIFEST, REVOKED, SNAPSHOT, Envelope, KeySet


class Manifest:
    """Section 6.1."""

    def __init__(self, data: bytes, keys: KeySet, audience: bytes) -> None:
        envelope = Envelope(data, MANIFEST)
        self.account, reader = envelope.body()
        of = reader.take(16)
        self.keyset, self.version = reader.v(32), reader.v()
        self.issued_at = reader.v()
        self.stale_after, self.expires_after = reader.v(32), reader.v(32)
        self.file_len, self.chunk_log2 = reader.v(32), reader.u8()
        self.root, self.revoked_counter = reader.take(32), reader.v()
        self.allow = reader.u8() & 3
        self.deltas = reader.many(4, lambda: (reader.v(), reader.v(32), reader.take(32)))
        reader.end()
        keys.expects(self.account, of, audience, self.keyset)
        self.signed_by = keys.check(envelope, SNAPSHOT, audience)
        sane = (
            self.issued_at < 1 << 32
            and self.stale_after <= self.expires_after
            and 1 <= self.expires_after <= 7_776_000
            and 80 <= self.file_len <= 268_435_456
            and 12 <= self.chunk_log2 <= 20
        )
        require(sane, "absurd")
        require(self.issued_at < keys.expires, "keys_expired")
        self.keys_expire = keys.expires
        self.expires_at = self.issued_at + self.expires_after
        self.stale_at = self.issued_at + self.stale_after

    def fields(self) -> dict[str, object]:
        return {
            "allow": self.allow,
            "chunk_log2": self.chunk_log2,
            "deltas": [
                {"from": first, "len": length, "sha256": digest.hex()}
                for first, length, digest in self.deltas
            ],
            "expires_at": self.expires_at,
            "file_len": self.file_len,
            "issued_at": self.issued_at,
            "keyset": self.keyset,
            "revoked_counter": self.revoked_counter,
            "root": self.root.hex(),
            "stale_at": self.stale_at,
            "version": self.version,
        }

    def admit(self, floor: Floor, now: Now) -> tuple[str, Floor]:
        """Says how it stands to what is in force, and what the floor is with it in force."""
        held, offered = (floor.version_epoch, floor.version), (self.keyset, self.version)
        require(self.keyset >= floor.keys, "old_keys")
        if held == offered:
            require(self.root == floor.root, "fork")
            require(self.issued_at >= floor.issued_at, "rollback")
            if self.issued_at == floor.issued_at:
                return "same", floor
        require(offered >= held, "rollback")
        require(self.expires_at > now.at, "expired")
        require(self.keys_expire > now.at, "keys_expired")
        now.check(self.issued_at)
        latest = max(now.backed, floor.beacon_time)
        require(self.issued_at <= latest + 600, "unconfirmed")
        agreeing = floor.agreeing(
            min(self.issued_at, floor.beacon_time), self.signed_by, floor.beacon_by
        )
        after = replace(
            agreeing.raised(revoked=(self.keyset, self.revoked_counter)),
            keys=max(floor.keys, self.keyset),
            version_epoch=self.keyset,
            version=self.version,
            root=self.root,
            issued_at=self.issued_at,
            held=self.issued_at,
            manifest_by=self.signed_by,
            signed=max(floor.signed, self.issued_at),
            lived=max(floor.lived, self.issued_at),
        )
        return ("refresh" if held == offered else "newer"), after


class Beacon:
    """Section 6.4."""

    def __init__(self, data: bytes, keys: KeySet, audience: bytes) -> None:
        envelope = Envelope(data, BEACON)
        account, reader = envelope.body()
        of = reader.take(16)
        self.keyset, self.number, self.time = reader.v(32), reader.v(), reader.v()
        self.version, self.revoked_counter = reader.v(), reader.v()
        reader.end()
        keys.expects(account, of, audience, self.keyset)
        self.signed_by = keys.check(envelope, BEACONS, audience)
        require(self.time < keys.expires, "keys_expired")
        self.keys_expire = keys.expires

    def fields(self) -> dict[str, object]:
        names = ("keyset", "number", "time", "version", "revoked_counter")
        return {name: getattr(self, name) for name in names}

    def admit(self, floor: Floor, now: Now) -> tuple[str, Floor]:
        held, offered = (floor.beacon_epoch, floor.beacon), (self.keyset, self.number)
        require(self.keyset >= floor.keys, "old_keys")
        require(offered >= held, "rollback")
        if offered == held:
            require(self.time == floor.beacon_time, "fork")
            return "same", floor
        require(self.keys_expire > now.at, "keys_expired")
        now.check(self.time)
        issued_at = floor.issued_at if floor.version_epoch == floor.keys else 0
        floor = floor.agreeing(min(self.time, issued_at), floor.manifest_by, self.signed_by)
        lifted = min(self.time, floor.agreed + 3_600)
        newest, revoked = (self.keyset, self.version), (self.keyset, self.revoked_counter)
        after = replace(
            floor.raised(newest=newest, revoked=revoked),
            beacon_epoch=self.keyset,
            beacon=self.number,
            beacon_time=self.time,
            beacon_by=self.signed_by,
            signed=max(floor.signed, lifted),
            lived=max(floor.lived, lifted),
        )
        return "newer", after


class Revoked:
    """Section 6.5."""

    def __init__(self, data: bytes, keys: KeySet, audience: bytes) -> None:
        envelope = Envelope(data, REVOKED)
        account, reader = envelope.body()
        of = reader.take(16)
        self.keyset, self.counter = reader.v(32), reader.v()
        self.base_version, self.issued_at = reader.v(), reader.v()
        keys.expects(account, of, audience, self.keyset)
        keys.check(envelope, SNAPSHOT, audience)
        self.tokens = ids(reader, 64)
        self.principals = ids(reader, 32)
        reader.end()
        require(len(self.tokens) + len(self.principals) <= 4_096, "malformed")
        require(self.issued_at < 1 << 32, "absurd")

    def fields(self) -> dict[str, object]:
        return {
            "base_version": self.base_version,
            "counter": self.counter,
            "issued_at": self.issued_at,
            "keyset": self.keyset,
            "principals": self.principals,
            "tokens": [f"{one:016x}" for one in self.tokens],
        }

    def admit(self, floor: Floor, held: Revoked | None) -> str:
        """Says how it stands to the list that is held, or was and is lost."""
        require(self.keyset >= floor.keys, "old_keys")
        offered = (self.keyset, self.counter)
        newest = (held.keyset, held.counter) if held else (0, 0)
        require(offered >= max(newest, (floor.list_epoch, floor.list)), "rollback")
        return "same" if offered == newest else "newer"


def ids(reader: Reader, bits: int) -> list[int]:
    found = reader.many(4_096, lambda: reader.v(bits))
    require(found == sorted(set(found)), "malformed")
    return found


class Denied:
    """Every entry that counts beside a snapshot of one version."""

    def __init__(self, version: tuple[int, int]) -> None:
        self.version = version
        self.tokens: set[int] = set()
        self.principals: set[int] = set()
        self.stale = False

    def accept(self, revoked: Revoked) -> None:
        """Takes a newer list: an older snapshot needs what it leaves out (TRUST section 3)."""
        self.stale = self.version < (revoked.keyset, revoked.base_version)
        if not self.stale:
            self.tokens, self.principals = set(), set()
        self.tokens |= set(revoked.tokens)
        self.principals |= set(revoked.principals)
