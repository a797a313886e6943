"""What the compiler does not check about this source tree. Each check yields messages: file, line, what to do."""

import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import snippets as code_snippets

# The only table of allowed arrows (docs/architecture.md draws it). A folder may always include itself; what a folder
# may include, everything above it may include too.
ARROWS = {
    "framework": set(),
    "solvers": {"framework"},
    "adaptive": {"solvers"},
    "datasets": {"framework"},
    "neural": {"adaptive", "datasets"},
    "pipeline": {"neural"},
    "evaluation": {"pipeline"},
    "apps": {"evaluation"},
    "bench": {"apps"},
    "python": {"evaluation"},
    "examples": {"evaluation"},
    "tests": {"apps", "bench", "tests"},
}
# Inside a folder, where one sub-folder must not see another.
INNER_ARROWS = {
    "apps": {"tensorboard": set(), "cli": {"tensorboard"}, "experiment": {"cli"}, "commands": {"cli", "experiment", "tensorboard"}},
    "evaluation": {"": set(), "comparison": {""}, "report": {"", "comparison"}, "experiment": {"", "comparison", "report"}},
}


def below(folder):
    """All folders that `folder` may include."""
    found, waiting = set(), {folder}
    while waiting:
        waiting = {f for each in waiting for f in ARROWS[each]} - found
        found |= waiting
    return found

# Third-party headers and where alone they may be seen: pattern of the include, pattern of the file, why.
CONFINED = [
    (r"torch/(torch|nn|optim|script)\b.*", r"(neural|pipeline|evaluation|apps|examples)/.*|tests/.*|bench/.*",
     "torch/torch.h costs 15 s per file: use ATen headers, or move the code to neural/"),
    (r"ceres/.*", r"adaptive/plan/ceres_[^/]*\.cpp|tests/(hygiene|adaptive)/.*",
     "Ceres and torch define the same macros: only adaptive/plan/ceres_*.cpp see it"),
    (r"(png|turbojpeg|lmdb|zip)\.h|webp/.*", r"datasets/.*|tests/(datasets|pipeline|evaluation|apps)/.*", "images and archives are read in datasets/"),
    (r"hdf5(_hl)?\.h|H5.*\.h", r"datasets/.*|tests/(datasets|kill|apps)/.*", "HDF5 lives in datasets/"),
    (r"toml\+\+/.*", r"(pipeline|apps)/.*|tests/.*", "TOML is read in pipeline/ and apps/"),
    (r"boost/program_options.*", r"apps/.*", "only the command line parses options"),
    (r"catch2/.*", r"tests/catch_torch\.h|tests/catch_main\.cpp",
     'include "tests/catch_torch.h": LibTorch\'s CHECK would silently replace Catch2\'s'),
]

# What a public header outside neural/ may not pull in.
HEAVY = re.compile(r"ATen/ATen\.h|torch/(torch|types|all|script)\.h|nlohmann/json\.hpp|boost/.*")

CODE = {".h", ".cpp", ".cu"}
TEXT = CODE | {".py", ".sh", ".cmake", ".md", ".txt", ".json", ".toml", ".def", ""}
MAX_LINES = 500
MAX_EXAMPLE = 39
# Written apart so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:ro" r"ot|ho" r"me/\w+|wo" r"rk|Us" r"ers/\w+)/[\w.]")

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def sources(root, suffixes=frozenset(CODE)):
    """Files of the project, without build trees, run folders and dot folders."""
    for path in sorted(Path(root).rglob("*")):
        parts = path.relative_to(root).parts
        if parts[0] in ("build", "runs") or any(p.startswith(".") and p != ".ci" or p == "__pycache__" for p in parts):
            continue
        if path.is_file() and path.suffix in suffixes:
            yield path


def includes(path):
    """(line number, text inside the quotes, text inside the angle brackets) of each include."""
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def layering(root):
    root = Path(root)
    for path in sources(root):
        folder = path.relative_to(root).parts[0]
        if folder not in ARROWS:
            continue
        for number, own, _ in includes(path):
            where = f"{path.relative_to(root)}:{number}"
            if own is None:
                continue
            target = own.split("/")[0]
            if "/" not in own or target not in ARROWS:
                yield f'{where}: includes "{own}": write own headers as "folder/file.h" from the repository\'s root'
            elif not (root / own).is_file():
                yield f'{where}: includes "{own}", which does not exist'
            elif target != folder and target not in below(folder):
                yield f"{where}: a back edge, {folder} -> {target} ({own}): {folder} may include {sorted(below(folder))}"
            elif target == folder and folder in INNER_ARROWS:
                mine, other = (room(folder, Path(name)) for name in (path.relative_to(root).as_posix(), own))
                if mine in INNER_ARROWS[folder] and other != mine and other not in INNER_ARROWS[folder][mine]:
                    yield f"{where}: a back edge in {folder}/, {mine or folder} -> {other or folder} ({own})"


def room(folder, path):
    """The sub-folder of `folder` that a file lies in; empty for one that lies in the folder itself."""
    inner = path.relative_to(folder).parts
    return inner[0] if len(inner) > 1 else ""


MOST_UNITS = 40  # a header and its source are one
MOST_APPS_LINES = 9000  # grows with the commands, of which there are 20


def rooms(root):
    """A stranger finds an idea by the name of its folder: none but solvers/methods needs scrolling."""
    units = {}
    for path in sources(root):
        folder = path.relative_to(root).parent.as_posix()
        if folder.split("/")[0] in ARROWS:
            units.setdefault(folder, set()).add(path.stem)
    for folder, names in sorted(units.items()):
        if len(names) > MOST_UNITS and folder != "solvers/methods":
            yield f"{folder}: {len(names)} units, more than {MOST_UNITS}: make sub-folders, one idea each"
        if folder.count("/") > 1 and not folder.startswith("tests/"):
            yield f"{folder}: sub-folders are one level deep"
    lines = sum(p.read_text(errors="replace").count("\n") for p in sources(Path(root) / "apps")) if (Path(root) / "apps").is_dir() else 0
    if lines > MOST_APPS_LINES:
        yield f"apps: {lines} lines, more than {MOST_APPS_LINES}: what a library's user would call belongs below apps/"


# An option, or the command line's exit codes, in code that has no command line.
FLAG = re.compile(r"\bExitCode\b|(?<![\w`(-])--[a-z][a-z-]*")
FLAGS_ALLOWED = {"evaluation/report/report_style.cpp", "evaluation/report/report_tables.cpp", "datasets/images/tar_files.cpp",
                 "pipeline/trained_model.cpp",
                 "evaluation/torch_peer.cpp"}  # CSS variables; tar's own option; the command that a card says wrote it;
                                               # the options of bench/torch_peer.py


def flags(root):
    root = Path(root)
    for path in sources(root):
        name = path.relative_to(root).as_posix()
        if name.split("/")[0] not in below("apps") or name in FLAGS_ALLOWED:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            match = FLAG.search(line)
            if match and ("\"" in line or "//" in line or match.group(0) == "ExitCode"):
                yield f"{name}:{number}: {match.group(0)} below apps/: name the field in backquotes, `sigma_min`"


def confinement(root):
    root = Path(root)
    for path in sources(root):
        name = path.relative_to(root).as_posix()
        if name.split("/")[0] not in ARROWS or name.startswith("tests/package/"):
            continue
        for number, own, system in includes(path):
            header = system or own
            for pattern, allowed, why in CONFINED:
                if re.fullmatch(pattern, header) and not re.fullmatch(allowed, name):
                    yield f"{name}:{number}: includes {header}: {why}"
            if path.suffix == ".h" and name.split("/")[0] not in ("neural", "tests", "python") and HEAVY.fullmatch(header):
                yield f"{name}:{number}: a public header includes {header}: forward-declare, or move it to the .cpp"


def headers(root):
    root = Path(root)
    for path in sources(root, {".h"}):
        if path.relative_to(root).parts[0] in ARROWS and "#pragma once" not in path.read_text(errors="replace"):
            yield f"{path.relative_to(root)}: lacks #pragma once"


def length(root):
    for path in sources(root, CODE | {".py", ".sh", ".cmake"}):
        lines = path.read_text(errors="replace").count("\n")
        if lines > MAX_LINES:
            yield f"{path.relative_to(root)}: {lines} lines, more than {MAX_LINES}: split it by idea"
        if path.relative_to(root).parts[0] == "examples" and path.suffix == ".cpp" and lines > MAX_EXAMPLE:
            yield f"{path.relative_to(root)}: {lines} lines; an example has at most {MAX_EXAMPLE}"


def solver_list(root):
    """solvers.def names exactly the files that define a solver, sorted and once."""
    folder = Path(root) / "solvers"
    listed = re.findall(r"^\s*STRIDE_SOLVER\((\w+)\)", (folder / "solvers.def").read_text(), re.M)
    if listed != sorted(set(listed)):
        yield f"solvers/solvers.def: not sorted, or a name twice: {listed}"
    defined = set()
    for path in sources(folder / "methods", {".cpp"}):
        for name in re.findall(r"^SolverEntry solver_(\w+)\(\)", path.read_text(), re.M):
            defined.add(name)
            if path.stem != name:
                yield f"solvers/methods/{path.name}: defines solver_{name}(): it belongs in solvers/methods/{name}.cpp"
    for name in sorted(set(listed) - defined):
        yield f"solvers/solvers.def: {name} is listed, but no solvers/methods/{name}.cpp defines solver_{name}()"
    for name in sorted(defined - set(listed)):
        yield f"solvers/methods/{name}.cpp: defines a solver that solvers/solvers.def does not list"


def machine_paths(root):
    root = Path(root)
    for path in sources(root, TEXT):
        if path.relative_to(root).parts[0] in ("models", "LICENSE") or path.stat().st_size > 2_000_000:
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            match = MACHINE_PATH.search(line)
            if match:
                yield f"{path.relative_to(root)}:{number}: a path of one machine: {match.group(0)}…"


def snippets(root):
    """Code in the documentation is what the source holds."""
    for page in code_snippets.pages(root):
        for number, what in code_snippets.refresh(root, page)[1]:
            yield f"{page.relative_to(root)}:{number}: {what}"


ARCHITECTURE = "docs/architecture.md"
CHAIN = re.compile(r"[a-z]+(?: +─+> +[a-z]+)+")
ROOM = re.compile(r"^\| `([a-z_/]+)/` \|", re.M)


def architecture(root):
    """The picture of the layers draws ARROWS, and the table of rooms names the folders that there are."""
    root = Path(root)
    page = root / ARCHITECTURE
    if not page.is_file():
        return
    text = page.read_text()
    drawn = set()
    for chain in CHAIN.findall(text):
        names = re.findall("[a-z]+", chain)
        drawn |= set(zip(names, names[1:]))
    allowed = {(a, b) for a, targets in ARROWS.items() for b in targets if a != b}
    for a, b in sorted(drawn - allowed):
        yield f"{ARCHITECTURE}: draws {a} ──> {b}, which tests/hygiene/checks.py does not allow"
    for a, b in sorted(allowed - drawn):
        yield f"{ARCHITECTURE}: does not draw {a} ──> {b}, which tests/hygiene/checks.py allows"
    there = {p.relative_to(root).parent.as_posix() for p in sources(root) if p.relative_to(root).parts[0] in ARROWS}
    there = {name for name in there if not name.startswith("tests/")}
    rooms = set(ROOM.findall(text))
    for name in sorted(there - rooms):
        yield f"{ARCHITECTURE}: the table of rooms lacks {name}/"
    for name in sorted(name for name in rooms if not (root / name).is_dir()):
        yield f"{ARCHITECTURE}: the table of rooms has {name}/, which does not exist"


def planted(root):
    """Each fault of scripts/plant-faults still finds the one place that it is planted in."""
    root = Path(root)
    script = root / "scripts" / "plant-faults"
    if not script.is_file():
        return
    loader = SourceFileLoader("plant_faults", str(script))
    module = module_from_spec(spec_from_loader("plant_faults", loader))
    loader.exec_module(module)
    for fault in module.FAULTS:
        path = root / fault.file
        places = len(re.findall(fault.find, path.read_text())) if path.is_file() else 0
        if places != 1:
            yield (f"scripts/plant-faults: the pattern of {fault.name} is found {places} times in {fault.file}; "
                   "make it fit the one place where the fault belongs")


CHECKS = [layering, rooms, flags, snippets, architecture, confinement, headers, length, solver_list, machine_paths,
          planted]
