"""Which places can reach a panic: where core's panic functions are named, from the relocations of one
object file with line tables. Every function has a section of its own, so a section stands for it.

Usage: panics.py TOOLS OBJECT HANDLER ENTRY...
TOOLS is what the names of the binary utilities begin with; nothing for those of this machine.
Prints a line for each place: the function, the line of source inlined there, the panic function, how
often.
"""

import re
import subprocess
import sys
from collections import Counter, namedtuple

# What core calls when a program made a mistake; everything else that leads there is a place.
PANICS = re.compile(r"core::(panicking::|.*_fail(ed)?$)")
# Rust's own library, whose functions are inlined at the place that is to blame.
LIBRARY = re.compile(r"/library/(core|alloc|std)/")

Named = namedtuple("Named", "section offset target")


def output(*command, stdin=None):
    run = subprocess.run(command, check=True, capture_output=True, text=True, input=stdin)
    return run.stdout


def readable(names):
    # Hashes differ from build to build.
    plain = output(TOOLS + "c++filt", stdin="\n".join(names))
    return re.sub(r"\[[0-9a-f]{12,16}\]|::h[0-9a-f]{16}\b", "", plain).splitlines()


def sections_of(path):
    """The section of each symbol, and the function of each section that holds code."""
    names, where, code = {}, {}, {}
    for line in output(TOOLS + "readelf", "-SW", path).splitlines():
        found = re.match(r"\s*\[\s*(\d+)\]\s+(\S+)\s+\S+\s+[0-9a-f]+", line)
        if found:
            names[found[1]] = found[2]
    for line in output(TOOLS + "readelf", "-sW", path).splitlines():
        fields = line.split()
        if len(fields) == 8 and fields[6] in names:
            where[fields[7]] = names[fields[6]]
            if fields[3] == "FUNC":
                code.setdefault(names[fields[6]], fields[7])
    return where, dict(zip(code, readable(code.values())))


def relocations(path, where):
    section = None
    for line in output(TOOLS + "readelf", "-rW", path).splitlines():
        found = re.match(r"Relocation section '\.rela?(\.\S+)'", line)
        if found:
            # What describes the code leads nowhere.
            section = None if found[1].startswith((".debug", ".eh_frame")) else found[1]
            continue
        fields = line.split()
        if section is not None and len(fields) >= 5 and fields[2].startswith("R_"):
            # A local function is named by its section.
            yield Named(section, fields[0], where.get(fields[4], fields[4]))


def reached(start, next_of):
    seen, left = set(), list(start)
    while left:
        section = left.pop()
        if section not in seen:
            seen.add(section)
            left.extend(next_of.get(section, ()))
    return seen


def blamed(path, place):
    """The line of source to blame: of what was inlined here, the innermost that is not Rust's own."""
    frames = output(TOOLS + "addr2line", "-i", "-e", path, "-j", place.section, "0x" + place.offset)
    lines = [re.sub(r" \(discriminator.*", "", line) for line in frames.splitlines()]
    own = [line for line in lines if not LIBRARY.search(line) and not line.startswith("??")]
    # From the folder of the package on.
    return re.sub(r".*/(?=[^/]+/src/)", "", own[0]) if own else "an unknown line"


def main(path, handler, *entries):
    where, code = sections_of(path)
    named = list(relocations(path, where))
    forwards, backwards = {}, {}
    for place in named:
        forwards.setdefault(place.section, set()).add(place.target)
        backwards.setdefault(place.target, set()).add(place.section)
    leads = reached([where.get(handler, handler)], backwards) & code.keys()
    used = reached([where[entry] for entry in entries], forwards)
    panics = {section for section in leads if PANICS.match(code[section])}
    places = Counter(
        (code[place.section], blamed(path, place), code[place.target])
        for place in named
        if place.section in used - panics and place.section in code and place.target in panics
    )
    for (caller, line, panic), times in sorted(places.items()):
        print(f"{caller} ({line}): {panic} × {times}")


if __name__ == "__main__":
    TOOLS = sys.argv[1]
    main(*sys.argv[2:])
