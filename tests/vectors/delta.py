"""Deltas: section 11 of format.md. The result is compiled anew from its records."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import snapshot
from framing import Reader, Refused, require

BAD = "bad_delta_malformed"
Record = tuple[Any, ...]
Changes = tuple[list[Any], dict[Any, Record]]


@dataclass
class Tables:
    """The records of a snapshot by their keys; what refers to another record does so by its key."""

    account: bytes
    features_other: int
    status: int
    verifier_len: int
    divisions: list[tuple[bytes, str]]
    grants: dict[int, int]
    # id, name, kind, flags, key of the grant, end, scope
    principals: dict[int, Record]
    # key of the owner, disabled, end, verifier
    tokens: dict[int, Record]
    resources: dict[tuple[int, bytes], int]
    ext: bytes

    @property
    def scope_words(self) -> int:
        return (len(self.divisions) + 63) // 64


def take_apart(file: bytes) -> Tables:
    """Reads the records of a file whose shape is good."""
    content = snapshot.read(file)
    counts = struct.unpack_from("<IIHH", file, 24)
    n_tokens, n_principals, n_grants, n_divisions = counts
    (other,) = struct.unpack_from("<I", file, 56)
    n_resources, ext_len, status = struct.unpack_from("<IIB", file, 60)
    body = Reader(file[80 + 22 * n_divisions :])
    grants = [(body.fixed(8), body.fixed(4), body.fixed(4)) for _ in range(n_grants)]
    principals = {}
    for one in content.principals:
        key, uuid, _offset = body.fixed(4), body.take(16), body.fixed(4)
        grant, _length, kind, flags = body.fixed(2), body.u8(), body.u8(), body.u8()
        _zero, end, _zeros = body.fixed(3), body.fixed(4), body.fixed(4)
        scope = body.fixed(8 * ((n_divisions + 63) // 64))
        principals[key] = (uuid, one.name, kind, flags, grants[grant][1], end, scope)
    tokens = {
        number: (content.principals[one.owner].key, one.disabled, one.end, one.verifier)
        for number, one in content.tokens.items()
    }
    resources = {
        key: 0xFFFF if place is None else place for key, place in content.resources.items()
    }
    ext = file[len(file) - ext_len :]
    sets = {key: permissions for permissions, key, _ in grants}
    return Tables(
        content.account,
        other,
        status,
        content.verifier_len,
        content.divisions,
        sets,
        principals,
        tokens,
        resources,
        ext,
    )


def compile_tables(tables: Tables) -> bytes:
    """Returns the one file for these records."""
    heap = "".join(name for _, name in tables.divisions).encode()
    places = {key: place for place, key in enumerate(sorted(tables.grants))}
    owners = {key: place for place, key in enumerate(sorted(tables.principals))}
    body, at = b"", 0
    for uuid, name in tables.divisions:
        body += uuid + struct.pack("<IBB", at, len(name.encode()), 0)
        at += len(name.encode())
    for key, permissions in sorted(tables.grants.items()):
        body += struct.pack("<QII", permissions, key, 0)
    for key, (uuid, name, kind, flags, grant, end, scope) in sorted(tables.principals.items()):
        raw = name.encode()
        body += struct.pack("<I16sIH", key, uuid, len(heap), places[grant])
        body += struct.pack("<BBB3xI4x", len(raw), kind, flags, end)
        body += scope.to_bytes(8 * tables.scope_words, "little")
        heap += raw
    numbers = sorted(tables.tokens)
    body += b"".join(struct.pack("<Q", number) for number in numbers)
    for number in numbers:
        owner, disabled, end, verifier = tables.tokens[number]
        body += struct.pack("<II", owners[owner] | disabled << 31, end) + verifier
    dir_bits = max(len(numbers).bit_length() - 3, 0)
    starts = [
        sum(number >> 64 - dir_bits < bucket for number in numbers) if dir_bits else 0
        for bucket in range(1 << dir_bits)
    ] + [len(numbers)]
    fullest = max(one - other for other, one in zip(starts, starts[1:], strict=False))
    window = -(-fullest // 4) * 4
    require(window <= 64, "bad_delta_too_many")
    body += b"".join(struct.pack("<I", start) for start in starts)
    for (kind, uuid), place in sorted(tables.resources.items()):
        body += struct.pack("<BBHI", kind, 0, place, 0) + uuid
    body += heap + tables.ext
    head = b"GWDSNAP1" + tables.account
    head += struct.pack("<IIHH", len(numbers), len(owners), len(places), len(tables.divisions))
    head += struct.pack("<BBHI", tables.scope_words, tables.verifier_len, 0, len(heap))
    head += struct.pack("<IBBHI", 80 + len(body), dir_bits, window, 0, 0)
    head += struct.pack(
        "<IIIB11x", tables.features_other, len(tables.resources), len(tables.ext), tables.status
    )
    return head + body


def apply(data: bytes, base: bytes, base_root: bytes) -> bytes:
    """Returns the file that a delta makes of another one."""
    tables = take_apart(base)
    reader = Reader(data, BAD)
    require(reader.u8() == 1, "bad_delta_unknown_format")
    of = reader.take(32)
    shape = (reader.u8(), reader.u8())
    require(shape[0] <= 4 and shape[1] in (16, 32), BAD)
    status = reader.u8()
    require(status <= 1, BAD)
    ext = reader.option(reader.blob)

    def number() -> int:
        return reader.fixed(4)

    def resource() -> tuple[int, bytes]:
        return reader.u8(), reader.take(16)

    put = [
        read_changes(reader, number, lambda: (reader.v(),)),
        read_changes(reader, number, lambda: read_principal(reader, shape[0])),
        read_changes(reader, lambda: reader.fixed(8), lambda: read_token(reader, shape[1])),
        read_changes(reader, resource, lambda: (reader.fixed(2),)),
    ]
    reader.end()
    require(of == base_root, "bad_delta_other_base")
    require(shape == (tables.scope_words, tables.verifier_len), "bad_delta_other_base")
    tables.status = status
    tables.ext = tables.ext if ext is None else ext
    change(tables.grants, put[0], lambda record: record[0])
    change(tables.principals, put[1], lambda record: record)
    change(tables.resources, put[3], lambda record: record[0])
    (gone, come) = put[2]
    require(all(key in tables.tokens for key in gone), "bad_delta_missing")
    left = put[1][0]
    keep = {key: one for key, one in tables.tokens.items() if one[0] not in left}
    tables.tokens = {key: one for key, one in keep.items() if key not in gone} | come
    check_references(tables)
    return compile_tables(tables)


def read_changes(reader: Reader, key: Callable[[], Any], rest: Callable[[], Record]) -> Changes:
    def entry() -> tuple[Any, Record]:
        return key(), rest()

    gone = reader.many(1 << 32, key)
    come = reader.many(1 << 32, entry)
    for keys in (gone, [one for one, _ in come]):
        require(keys == sorted(set(keys)), "bad_delta_order")
    require(not set(gone) & {one for one, _ in come}, "bad_delta_order")
    return gone, dict(come)


def read_principal(reader: Reader, scope_words: int) -> Record:
    uuid = reader.take(16)
    try:
        name = snapshot.check_name(reader.blob())
    except Refused:
        raise Refused(BAD) from None
    kind, flags, grant, end = reader.u8(), reader.u8(), reader.fixed(4), reader.fixed(4)
    scope = reader.fixed(8 * scope_words)
    return uuid, name, kind, flags, grant, end, scope


def read_token(reader: Reader, verifier_len: int) -> Record:
    owner, disabled, end = reader.fixed(4), reader.flag(), reader.fixed(4)
    return owner, disabled, end, reader.take(verifier_len)


def change(table: dict[Any, Any], changes: Changes, value: Callable[[Record], Any]) -> None:
    gone, come = changes
    require(all(key in table for key in gone), "bad_delta_missing")
    for key in gone:
        del table[key]
    table.update({key: value(record) for key, record in come.items()})


def check_references(tables: Tables) -> None:
    count = len(tables.divisions)
    whole = (
        all(one[4] in tables.grants for one in tables.principals.values())
        and all(one[0] in tables.principals for one in tables.tokens.values())
        and all(place == 0xFFFF or place < count for place in tables.resources.values())
    )
    require(whole, "bad_delta_dangling")
