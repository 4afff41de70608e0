"""What was accepted so far: section 7 of format.md."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields, replace

from framing import require, sha256

LAYOUT = "<8sIIQ32sQIQIQIQIQQQQQI"


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

    @staticmethod
    def read(data: bytes) -> Floor:
        require(len(data) == 156 and data[:8] == b"GWDFLOR1", "damaged")
        require(sha256(data[:148])[:8] == data[148:], "damaged")
        return Floor(*struct.unpack(LAYOUT, data[:148])[1:])

    def write(self) -> bytes:
        values = [getattr(self, one.name) for one in fields(self)]
        body = struct.pack(LAYOUT, b"GWDFLOR1", *values)
        return body + sha256(body)[:8]

    def fields(self) -> dict[str, object]:
        return {**vars(self), "root": self.root.hex()}

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
