"""What was accepted so far: section 7 of format.md."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields, replace

from framing import require, sha256

LAYOUT = "<8sIIQ32sQIQIQIQIQQQQQIQQ73s73s73s73s"
STOLEN = 0x80


@dataclass
class Signers:
    """A threshold, and eight places for an algorithm and a key id; algorithm 0 is a free place."""

    threshold: int
    keys: list[tuple[int, bytes]]

    @staticmethod
    def read(data: bytes) -> Signers:
        ids = [data[9 + 8 * at : 17 + 8 * at] for at in range(8)]
        return Signers(data[0], list(zip(data[1:9], ids, strict=True)))

    def write(self) -> bytes:
        keys = [*self.keys, *[(0, bytes(8))] * 8][:8]
        algorithms = bytes(algorithm for algorithm, _ in keys)
        return bytes([self.threshold]) + algorithms + b"".join(name for _, name in keys)

    def without(self, stolen: list[bytes]) -> Signers:
        """Marks those keys; the mark stays."""
        keys = [
            (algorithm | STOLEN if algorithm and name in stolen else algorithm, name)
            for algorithm, name in self.keys
        ]
        return Signers(self.threshold, keys)

    def are_enough(self) -> bool:
        signed = [algorithm for algorithm, _ in self.keys if algorithm]
        return all(signed.count(one & ~STOLEN) >= self.threshold for one in signed)


@dataclass
class Floor:
    """Pairs of epoch and number are compared as such."""

    keys: int
    version_epoch: int
    version: int
    root: bytes
    issued_at: int
    revoked_epoch: int
    revoked: int
    list_epoch: int
    list: int
    newest_epoch: int
    newest: int
    beacon_epoch: int
    beacon: int
    beacon_time: int
    signed: int
    lived: int
    agreed: int
    boots: int
    rooted: int
    held: int
    manifest_by: Signers
    beacon_by: Signers
    agreed_by_snapshot: Signers
    agreed_by_beacon: Signers

    @staticmethod
    def read(data: bytes) -> Floor:
        require(len(data) == 464 and data[:8] == b"GWDFLOR1", "damaged")
        require(sha256(data[:456])[:8] == data[456:], "damaged")
        *numbers, manifest, beacon, first, second = struct.unpack(LAYOUT, data[:456])[1:]
        return Floor(*numbers, *map(Signers.read, (manifest, beacon, first, second)))

    def write(self) -> bytes:
        values = [getattr(self, one.name) for one in fields(self)]
        values = [one.write() if isinstance(one, Signers) else one for one in values]
        body = struct.pack(LAYOUT, b"GWDFLOR1", *values)
        return body + sha256(body)[:8]

    def fields(self) -> dict[str, object]:
        found = vars(self) | {"root": self.root.hex()}
        found |= {name: getattr(self, name).write().hex() for name in ("manifest_by", "beacon_by")}
        pair = [found.pop("agreed_by_snapshot"), found.pop("agreed_by_beacon")]
        return found | {"agreed_by": [one.write().hex() for one in pair]}

    def agreeing(self, both: int, manifest_by: Signers, beacon_by: Signers) -> Floor:
        """A manifest and a beacon both say this time."""
        if both == 0 or both + 600 < self.agreed:
            return self
        by = {"agreed_by_snapshot": manifest_by, "agreed_by_beacon": beacon_by}
        return replace(self, agreed=max(self.agreed, both), **by)  # type: ignore[arg-type]

    def with_keys(self, epoch: int, issued_at: int, stolen: list[bytes], unsettles: bool) -> Floor:
        """The key set of this epoch is accepted, which calls these keys compromised."""
        floor = self
        if epoch > self.keys:
            floor = self.without(stolen, unsettles)
        names = ("signed", "lived", "agreed", "rooted")
        raised = {name: max(getattr(floor, name), issued_at) for name in names}
        return replace(floor, keys=max(epoch, self.keys), **raised)  # type: ignore[arg-type]

    def without(self, stolen: list[bytes], unsettles: bool) -> Floor:
        names = ("manifest_by", "beacon_by", "agreed_by_snapshot", "agreed_by_beacon")
        by = {name: getattr(self, name).without(stolen) for name in names}
        floor = replace(self, **by)
        if not (floor.agreed_by_snapshot.are_enough() or floor.agreed_by_beacon.are_enough()):
            floor = replace(floor, agreed=0)
        if not floor.manifest_by.are_enough():
            floor = replace(floor, held=0)
        if not floor.beacon_by.are_enough():
            floor = replace(floor, beacon_time=0)
        floor = replace(floor, agreed=max(floor.agreed, floor.rooted))
        if unsettles:
            left = max(floor.agreed, floor.held)
            floor = replace(floor, signed=left, lived=left)
        return floor

    def raised(self, **pairs: tuple[int, int]) -> Floor:
        """Returns the floor with each of these pairs of epoch and number, where it is greater."""
        changes: dict[str, int] = {}
        for name, (epoch, number) in pairs.items():
            held = (getattr(self, f"{name}_epoch"), getattr(self, name))
            most = max(held, (epoch, number))
            changes |= {f"{name}_epoch": most[0], name: most[1]}
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass
class Now:
    """The time believed in, how far, and the latest that more than one signer stands for."""

    at: int
    quality: str
    backed: int

    def check(self, time: int) -> None:
        require(self.quality != "synced" or time <= self.at + 600, "issued_ahead")
