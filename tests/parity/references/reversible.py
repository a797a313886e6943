"""The reversible Heun method."""

from types import SimpleNamespace

from harness import Case
from torchsde._core.methods.reversible_heun import ReversibleHeun


def reversible_heun(p):
    """torchsde's own steps, without noise, of dy/ds = D(y/s) with y = x/sigma and s = 1/sigma. A state is z1, what the
    network sees; the last jump is D there."""
    equation = SimpleNamespace(f_and_g=lambda s, y: (p.denoise(y / s, 1 / s), 0.0), prod=lambda diffusion, noise: 0.0)
    method = SimpleNamespace(sde=equation, bm=lambda start, end: 0.0)
    s = [1 / sigma for sigma in p.sigmas.tolist() if sigma > 0]
    y = p.x * s[0]
    extra = (*equation.f_and_g(s[0], y), y)
    states = []
    for start, end in zip(s, s[1:]):
        y, extra = ReversibleHeun.step(method, start, end, y, extra)
        states.append(extra[2] / end)
    if float(p.sigmas[-1]) == 0:
        states.append(extra[0])
    else:
        p.evaluations -= 1  # torchsde looks at the end as well
    return states


CASES = [Case("reversible_heun", reversible_heun, "torchsde ReversibleHeun, of y = x/sigma over 1/sigma")]
