"""The page with the table of all solvers, from `stride list solvers --json`."""

import json

HEAD = """---
hide-toc: true
---

# Solvers at a glance

Every solver of the registry, as `stride list solvers --json` tells of them. Click a column's head to sort, type to filter
(`multistep`, `stochastic`, `2402.`, a name from another project). [Solvers](../docs/solvers.md) has each with its variants,
options and measured orders.

- **order**: of the error before the last jump, on the probability flow; of stochastic solvers, of a path's error (marked *strong*).
- **NFE**: calls of the denoiser in a run of 5 and of 10 steps whose last is the jump to σ = 0.
- **policies**: whether a solver estimates its error, so that it runs under the adaptive policies.

"""


def order(solver):
    if solver["order"] is not None:
        return f"{solver['order']:g}"
    return f"{solver['strong_order']:g} *strong*" if solver["strong_order"] is not None else "–"


def cell(text):
    return text.replace("|", r"\|").replace("<", r"\<")


def names(solver):
    out = dict.fromkeys(solver["aliases"] + [n if isinstance(n, str) else n["name"] for n in solver["also_called"]])
    return ", ".join(cell(n) for n in out)


def row(solver):
    nfe = solver["nfe"]
    return " | ".join(["", f"`{solver['name']}`", order(solver), f"{nfe['5']['zero']}", f"{nfe['10']['zero']}",
                       "yes" if solver["stochastic"] else "no", "yes" if solver["error_order"] else "no", solver["family"],
                       cell(solver["summary"]), names(solver), cell(solver["reference"]), ""]).strip()


def page(listing):
    rows = ["| solver | order | NFE of 5 | NFE of 10 | noise | policies | family | what it is | also called | reference |",
            "|---|---|---|---|---|---|---|---|---|---|", *map(row, json.loads(listing))]
    return HEAD + ":::{container} sortable\n" + "\n".join(rows) + "\n:::\n"
