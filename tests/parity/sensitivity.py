"""How far one unit in the last place of the start moves the end of k-diffusion's own dpm_adaptive on the linear betas: why its
case of four decades is allowed 1e-9. Run as `with_oracles sensitivity.py`; prints the largest of six draws a case."""

import torch

from harness import MIXTURES, Problem, linear_betas
from references.single_step import adaptive

DRAWS = 6

for options in ({}, {"rtol": 0.01, "atol": 0.001}, {"pcoeff": 0.2, "icoeff": 0.5, "dcoeff": 0.1}):
    for dimensions, mixture in MIXTURES.items():
        levels = torch.tensor(linear_betas(2).tolist(), dtype=torch.float64)
        generator = torch.Generator().manual_seed(1000 * dimensions + 1)
        start = levels[0] * torch.randn(2, dimensions, generator=generator, dtype=torch.float64)

        def end(x):
            return adaptive(Problem(mixture, levels, x, torch.zeros(1, 2, dimensions, dtype=torch.float64)), **options)[0]

        plain, worst = end(start), 0.0
        for seed in range(DRAWS):
            signs = torch.randint(-1, 2, start.shape, generator=torch.Generator().manual_seed(seed)).double()
            moved = end(start * (1 + 2.0**-52 * signs))
            worst = max(worst, float((moved - plain).abs().max() / plain.abs().max()))
        print(f"{dimensions:3}d {worst:.1e}  {options}")
