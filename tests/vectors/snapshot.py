"""Snapshots and their chunks: sections 3 and 5 of format.md."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Any

import extensions
from framing import Reader, require, sha256
from model import Principal, Snapshot, Token

DIRECTIONS = {
    0x61C,
    0x200E,
    0x200F,
    0x2028,
    0x2029,
    0xFEFF,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
}
# The property White_Space of Unicode.
SPACES = {
    *range(9, 14),
    0x20,
    0x85,
    0xA0,
    0x1680,
    *range(0x2000, 0x200B),
    0x2028,
    0x2029,
    0x202F,
    0x205F,
    0x3000,
}


def hash_list(file: bytes, chunk_log2: int) -> list[bytes]:
    step = 1 << chunk_log2
    pieces = range(0, len(file), step)
    return [
        sha256(b"\0", index.to_bytes(4, "little"), file[at : at + step])
        for index, at in enumerate(pieces)
    ]


def root(file_len: int, chunk_log2: int, hashes: bytes) -> bytes:
    return sha256(b"\1", file_len.to_bytes(4, "little"), bytes([chunk_log2]), hashes)


def check_list(hashes: bytes, file_len: int, chunk_log2: int, expected: bytes) -> None:
    chunks = -(-file_len // (1 << chunk_log2))
    require(len(hashes) == 32 * chunks, "bad_hash_list")
    require(root(file_len, chunk_log2, hashes) == expected, "bad_hash_list")


def ascending(keys: list[Any]) -> None:
    require(all(one < other for one, other in pairwise(keys)), "bad_order")


def check_name(raw: bytes) -> str:
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        name = ""
    require(1 <= len(raw) <= 128 and name != "", "bad_name")
    require(ord(name[0]) not in SPACES and ord(name[-1]) not in SPACES, "bad_name")
    bad = any(unicodedata.category(c) == "Cc" or ord(c) in DIRECTIONS for c in name)
    require(not bad, "bad_name")
    return name


def read(file: bytes) -> Snapshot:
    """Reads a whole file; raises for anything that section 3 forbids."""
    require(len(file) >= 80, "bad_length")
    head = Reader(file[:80])
    require(head.take(8) == b"GWDSNAP1", "unknown_format")
    account = head.take(16)
    n_tokens, n_principals, n_grants, n_divisions = (head.fixed(n) for n in (4, 4, 2, 2))
    scope_words, verifier_len, flags = head.u8(), head.u8(), head.fixed(2)
    heap_len, file_len, dir_bits, window = (head.fixed(n) for n in (4, 4, 1, 1))
    zero, critical, _other = head.fixed(2), head.fixed(4), head.fixed(4)
    n_resources, ext_len, status, zeros = (head.fixed(n) for n in (4, 4, 1, 11))
    require(critical == 0, "unknown_feature")
    expected_bits = max(n_tokens.bit_length() - 3, 0)
    counts = (
        n_tokens <= 4_194_304
        and n_principals <= 1_048_576
        and n_divisions <= 256
        and n_resources <= 65_536
        and ext_len <= 1_048_576
        and heap_len <= 268_435_456
        and scope_words == (n_divisions + 63) // 64
        and verifier_len in (16, 32)
        and dir_bits == expected_bits
    )
    require(counts, "bad_counts")
    lengths = (
        22 * n_divisions, 16 * n_grants, (40 + 8 * scope_words) * n_principals, 8 * n_tokens,
        (8 + verifier_len) * n_tokens, 4 * ((1 << dir_bits) + 1), 24 * n_resources, heap_len, ext_len,
    )  # fmt: skip
    require(80 + sum(lengths) == len(file) == file_len <= 268_435_456, "bad_length")
    require(status <= 1, "unknown_status")
    require(flags == zero == zeros == 0, "bad_reserved")

    body = Reader(file[80:])
    sections = [Reader(body.take(length), "bad_length") for length in lengths]
    divisions, grants, principals, ids, rows, directory, resources, heap, ext = sections
    snapshot = Snapshot(account, status == 1, verifier_len)
    snapshot.divisions = read_divisions(divisions, n_divisions, heap)
    sets = read_grants(grants, n_grants)
    for _ in range(n_principals):
        snapshot.principals.append(read_principal(principals, scope_words, n_divisions, sets, heap))
    ascending([principal.key for principal in snapshot.principals])
    require(heap.rest() == b"", "bad_name")
    numbers = [ids.fixed(8) for _ in range(n_tokens)]
    ascending(numbers)
    for number in numbers:
        owner, end, verifier = rows.fixed(4), rows.fixed(4), rows.take(verifier_len)
        require(owner & 0x7FFFFFFF < n_principals, "bad_reference")
        snapshot.tokens[number] = Token(owner & 0x7FFFFFFF, owner >> 31 == 1, end, verifier)
    check_directory(
        [directory.fixed(4) for _ in range((1 << dir_bits) + 1)], numbers, dir_bits, window
    )
    read_resources(resources, n_resources, n_divisions, snapshot)
    extensions.read(ext, snapshot)
    return snapshot


def next_name(heap: Reader, offset: int, length: int) -> str:
    """Names stand in the heap in the order of their records, without gaps."""
    require(offset == heap.at and length <= len(heap.rest()), "bad_name")
    return check_name(heap.take(length))


def read_divisions(section: Reader, count: int, heap: Reader) -> list[tuple[bytes, str]]:
    records = [
        (section.take(16), section.fixed(4), section.u8(), section.u8()) for _ in range(count)
    ]
    ascending([key for key, *_ in records])
    require(all(zero == 0 for *_, zero in records), "bad_reserved")
    found = [(key, next_name(heap, offset, length)) for key, offset, length, _ in records]
    require(len({name for _, name in found}) == count, "bad_name")
    return found


def read_grants(section: Reader, count: int) -> list[int]:
    records = [(section.fixed(8), section.fixed(4), section.fixed(4)) for _ in range(count)]
    ascending([key for _, key, _ in records])
    require(all(zero == 0 for *_, zero in records), "bad_reserved")
    return [permissions for permissions, *_ in records]


def read_principal(
    section: Reader, scope_words: int, n_divisions: int, sets: list[int], heap: Reader
) -> Principal:
    key, uuid, offset, grant = (
        section.fixed(4),
        section.take(16),
        section.fixed(4),
        section.fixed(2),
    )
    length, kind, flags, zero = section.u8(), section.u8(), section.u8(), section.fixed(3)
    end, zeros, scope = section.fixed(4), section.fixed(4), section.fixed(8 * scope_words)
    require(kind <= 2, "unknown_status")
    require(flags < 8 and zero == zeros == 0, "bad_reserved")
    require(grant < len(sets), "bad_reference")
    everywhere = flags & 4 != 0
    require(scope >> n_divisions == 0 and not (everywhere and scope), "bad_scope")
    name = next_name(heap, offset, length)
    places = {place for place in range(n_divisions) if scope >> place & 1}
    reach = None if everywhere else places
    return Principal(key, uuid, name, kind, flags & 1 != 0, flags & 2 != 0, sets[grant], reach, end)


def check_directory(entries: list[int], numbers: list[int], dir_bits: int, window: int) -> None:
    buckets = [number >> (64 - dir_bits) for number in numbers] if dir_bits else [0] * len(numbers)
    expected, fullest, at = [], 0, 0
    for bucket in range(1 << dir_bits):
        expected.append(at)
        first = at
        while at < len(buckets) and buckets[at] == bucket:
            at += 1
        fullest = max(fullest, at - first)
    expected.append(len(numbers))
    require(entries == expected, "bad_directory")
    require(window == -(-fullest // 4) * 4 <= 64, "bad_directory")


def read_resources(section: Reader, count: int, n_divisions: int, snapshot: Snapshot) -> None:
    keys: list[tuple[int, bytes]] = []
    for _ in range(count):
        kind, zero, division, zeros = section.u8(), section.u8(), section.fixed(2), section.fixed(4)
        uuid = section.take(16)
        require(zero == zeros == 0, "bad_reserved")
        require(division == 0xFFFF or division < n_divisions, "bad_reference")
        keys.append((kind, uuid))
        snapshot.resources[kind, uuid] = None if division == 0xFFFF else division
    ascending(keys)
