"""claims.md and claims.json."""

import json


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def sampler_rows(measured):
    return [[name, each.arguments[each.arguments.index("--schedule") + 1], f"{each.nfe:g}",
             f"{each.fd.value:.4g} ({each.fd.low:.4g} to {each.fd.high:.4g})", f"{1000 * each.seconds:.3g}"]
            for name, each in measured.items()]


def write(outdir, measured, answers, options):
    some = next(iter(measured.values()))
    text = f"""# The article's claims, measured

Model `{options.model}`, {some.n} samples (seeds {options.seeds}), Fréchet distance to `{options.ref}` in `{options.features}`, 8-bit
pixels, 95 % intervals over blocks of seeds; {some.device}; TF32. Many-step DDPM has {options.many} steps. These distances are no
Inception FIDs: what is compared is their ratios.

{table(["sampler", "grid", "NFE", "Fréchet distance", "ms per sample"], sampler_rows(measured))}

{table(["claim", "measured", "answer"], [[a.claim, a.measured, a.verdict] for a in answers])}
"""
    outdir.mkdir(parents=True, exist_ok=True)
    (outdir / "claims.md").write_text(text)
    record = {"samplers": {name: each.as_json() for name, each in measured.items()},
              "answers": [vars(answer) for answer in answers]}
    (outdir / "claims.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
