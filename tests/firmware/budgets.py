#!/usr/bin/env python3
"""Holds what an image measured against the budgets, and prints each with its figure.

    budgets.py compact|fast FOLDER

The folder has what `tests/firmware/image` wrote down: `measure-*.txt` is what the program said, the
`kept-*.txt` are the sections that a linker keeps of the library. Ends with 1 where one does not hold.
"""

import pathlib
import sys

TICK = 40  # instructions
CHECKS = 1_000
KIB = 1_024
# Calls that verify a signature, and calls that decide.
VERIFYING = ("keys_anchor", "keys_follow", "manifest_verify", "snapshot_open", "beacon_take",
             "revoked_take", "bundle_walk")
DECIDING = ("check", "check_text")
# Calls that have a secret in hand.
SECRET = ("token_read", "check", "check_text", "chain_next")
# What has to be among the outcomes that were counted.
OUTCOMES = {
    "allowed", "secret first", "secret last", "unknown low", "unknown near", "unknown high",
    "token expired", "token disabled", "token revoked", "barred", "stale", "no permission",
    "out of scope", "bad checksum",
}
INSTRUCTIONS = {"compact": (7_500, 8_000_000), "fast": (5_500, 6_000_000)}
FLASH = {"compact": 32 * KIB}

failed = False


def budget(text, figure, limit):
    """Prints one figure; without a limit it is there to be known."""
    global failed
    past = limit is not None and figure > limit
    failed |= past
    bound = "" if limit is None else f", at most {limit:,}"
    print(f"{'PAST ITS BUDGET: ' if past else ''}{text}: {figure:,}{bound}")


def expect(text, holds):
    global failed
    failed |= not holds
    print(f"{'' if holds else 'DOES NOT HOLD: '}{text}")


def read(path):
    counts, planted, calls, left = {}, {}, {}, {}
    for line in path.read_text().splitlines():
        match line.split(maxsplit=3):
            case ["count", both, alone, name]:
                counts[name] = int(both), int(alone)
            case ["planted", name, spread]:
                planted[name] = int(spread)
            case ["call", stack, ticks, name]:
                calls[name] = int(stack), int(ticks)
            case ["left", words, name]:
                left[name] = int(words)
            case _:
                expect(f"the image says {line!r}", False)
    return counts, planted, calls, left


def flash(path):
    sections = (line.split() for line in path.read_text().splitlines())
    return sum(int(row[1]) for row in sections if row and row[0] in (".text", ".rodata", ".data"))


def outcomes(counts, planted):
    expect(f"every outcome that was promised is counted: {len(counts)} are", OUTCOMES <= set(counts))
    for part, name in enumerate(("reading and checking", "checking alone")):
        ticks = [both[part] for both in counts.values()]
        budget(f"{name} {CHECKS:,} times, ticks between the cheapest and the dearest outcome",
               max(ticks) - min(ticks), 1)
    for plant in ("unknown-at-once", "one-instruction"):
        spread = planted.get(plant, 0)
        expect(f"planted {plant}: found, {spread:,} ticks apart", spread > 1)


def main():
    build, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    a_check, a_snapshot = INSTRUCTIONS[build]
    counts, planted, calls, left = read(folder / f"measure-{build}.txt")
    nothing = calls["nothing"][0]
    print(f"-- {build} hash")
    outcomes(counts, planted)
    dearest = [max(both[part] for both in counts.values()) for part in (0, 1)]
    budget("instructions of a check", dearest[1] * TICK // CHECKS, a_check)
    budget("instructions of reading a token and checking it", dearest[0] * TICK // CHECKS, None)
    both = sum(calls[name][1] for name in ("manifest_verify", "snapshot_open"))
    budget("instructions to verify and validate 1,000 tokens", both * TICK, a_snapshot)
    expect("every call that was promised is measured", {*VERIFYING, *DECIDING} <= set(calls))
    for name, (stack, ticks) in calls.items():
        limit = 10 * KIB if name in VERIFYING else 3 * KIB // 2 if name in DECIDING else None
        budget(f"bytes of stack of {name}", stack - nothing, limit)
    holds = all(left.get(name) == 0 for name in SECRET)
    expect(f"no word of a secret is left on the stack by {', '.join(SECRET)}", holds)
    expect(f"planted: {left.get('planted', 0)} words that a call left are found", left.get("planted", 0) > 7)
    # Each is what a linker keeps of the archive, the memcpy of a compiler included.
    for ending, what, limit in (
        ("", "check and manifest_verify: the check, Ed25519, SHA-256 and SHA-512", FLASH.get(build)),
        ("-open", "these and snapshot_open, which validates every record", None),
        ("-anchor", "these and keys_anchor", None),
    ):
        budget(f"bytes of flash of {what}", flash(folder / f"kept-{build}{ending}.txt"), limit)
    return failed


if __name__ == "__main__":
    sys.exit(main())
