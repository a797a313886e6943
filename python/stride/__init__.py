"""Stride: samplers of diffusion models; fixed grids, steps per sample, few-step plans, and what they are worth."""

from __future__ import annotations

import torch  # its libraries first: the extension is linked to them

from . import _stride
from .errors import Error, InputError, Interrupted, LockedError, QualityError, ResourceError, UsageError

__version__ = _stride.__version__

__all__ = [
    "Error", "InputError", "Interrupted", "LockedError", "QualityError", "ResourceError", "UsageError", "__version__",
]
