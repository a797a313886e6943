"""check.py PROGRAM COUNTS.json [--write]: instructions of each counted_… function of PROGRAM, itself and what it calls,
against the counts that were noted. More than 8 % above is a regression; more than 20 % below wants new counts."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ABOVE, BELOW = 1.08, 0.8
SKIPPED = 77


def counted(program):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        ran = subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=counted_*",
                              f"--callgrind-out-file={out}", program], capture_output=True, text=True)
        if ran.returncode != 0:
            sys.exit(f"valgrind ended with {ran.returncode}:\n{ran.stderr[-4000:]}")
        costs = inclusive(out.read_text())
    missing = [name for name in ran.stdout.split() if name not in costs]
    if missing or not costs:
        sys.exit(f"callgrind saw nothing of {missing or 'anything'}; it said:\n{ran.stderr[-2000:]}")
    return costs


def inclusive(profile):
    """What callgrind's file says of each counted_ function: its own lines, and the line after each call from it."""
    names, costs, current = {}, {}, None
    call = False
    for line in profile.splitlines():
        function = re.match(r"fn=\((\d+)\)(?: (.*))?$", line)
        callee = re.match(r"cfn=\((\d+)\)(?: (.*))?$", line)
        if function or callee:
            number, name = (function or callee).groups()
            if name:
                names[number] = name
            if function:
                found = re.match(r"counted_(\w+)", names[number])
                current = found[1] if found else None
        elif line.startswith("calls="):
            call = True
        elif re.match(r"[+*\-\d]", line):
            # A line of its own, or of a call: position, then instructions, those of the callee included.
            if current is not None:
                costs[current] = costs.get(current, 0) + int(line.split()[1])
            call = False
    assert not call
    return costs


def main(program, counts, write):
    if shutil.which("valgrind") is None:
        print("valgrind is not installed: nothing counted")
        sys.exit(SKIPPED)
    now = counted(program)
    if write:
        Path(counts).write_text(json.dumps(dict(sorted(now.items())), indent=2) + "\n")
    noted = json.loads(Path(counts).read_text())
    wrong = []
    for name in sorted(set(now) | set(noted)):
        here, there = now.get(name, 0), noted.get(name, 0)
        ratio = here / there if there else float("inf")
        print(f"{name:<16} {here:>12,} instructions, noted {there:>12,}: {ratio:.3f}")
        if not BELOW <= ratio <= ABOVE:
            wrong.append(name)
    if wrong:
        sys.exit(f"{', '.join(wrong)}: a step costs other than what was noted in {counts}; find out why, or note it with --write")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--write" in sys.argv[3:])
