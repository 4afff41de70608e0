"""What a snapshot says, and the two tables of core/data."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "core" / "data"
OPERATIONS = ("approve", "delete", "issue", "issue_ca", "read", "revoke", "write")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NEVER = 0xFFFFFFFF


@dataclass
class Permission:
    bit: int
    id: str
    ops: set[str]
    fresh_ops: set[str]
    division_scoped: bool


@dataclass
class Rule:
    id: str
    methods: set[str]
    pattern: str
    permissions: list[str]
    operation: str
    accepts: set[str]
    division: str
    fresh: bool
    enabled: bool


@dataclass
class Principal:
    key: int
    id: bytes
    name: str
    kind: int
    disabled: bool
    no_iot_access: bool
    permissions: int
    divisions: set[int] | None
    end: int


@dataclass
class Token:
    owner: int
    disabled: bool
    end: int
    verifier: bytes


@dataclass
class Snapshot:
    account: bytes
    suspended: bool
    verifier_len: int
    divisions: list[tuple[bytes, str]] = field(default_factory=list)
    principals: list[Principal] = field(default_factory=list)
    tokens: dict[int, Token] = field(default_factory=dict)
    resources: dict[tuple[int, bytes], int | None] = field(default_factory=dict)
    permissions: list[Permission] = field(default_factory=list)
    routes: list[Rule] = field(default_factory=list)

    def fields(self) -> dict[str, object]:
        return {
            "account": self.account.hex(),
            "divisions": [name for _, name in self.divisions],
            "permissions": [one.id for one in self.permissions],
            "principals": [one.name for one in self.principals],
            "resources": len(self.resources),
            "routes": [rule.id for rule in self.routes],
            "suspended": self.suspended,
            "tokens": [f"{number:016x}" for number in self.tokens],
            "verifier_len": self.verifier_len,
        }


def table(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def catalogue() -> list[Permission]:
    return [
        Permission(
            int(row["bit"]),
            row["id"],
            set(row["ops"].split()),
            set(row["fresh_ops"].split()),
            row["division_scoped"] == "yes",
        )
        for row in table("permissions.tsv")
    ]


CATALOGUE = catalogue()
