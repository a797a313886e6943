"""What the module's tests share: small denoisers whose answers are known, and the command beside the module."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import torch

import stride

COMMAND = os.environ.get("STRIDE_EXECUTABLE", "")


def gaussian(x, sigma):
    """D of N(0, 0.25)."""
    noise = stride.per_sample(sigma.double() ** 2, x)
    return 0.25 * x / (0.25 + noise)


def points(x, sigma):
    """D of two points, -1 and 1, with a deviation of 0.5, in each dimension."""
    noise = stride.per_sample(sigma.double() ** 2, x)
    return (0.25 * x + noise * torch.tanh(x / (0.25 + noise))) / (0.25 + noise)


def two_points(**more):
    return stride.Denoiser(points, shape=(2,), sigma=(0.002, 10.0), **more)


def command(*words, cwd=None):
    """Runs the command; its standard output, which is JSON where --json is given."""
    done = subprocess.run([COMMAND, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"stride {' '.join(map(str, words))}: {done.returncode}\n{done.stderr}")
    return done.stdout


def in_new_process(code, *, timeout=120, expect=0):
    """Runs Python code in a process of its own; its standard output."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)})
    if done.returncode != expect:
        raise AssertionError(f"ended with {done.returncode}, not {expect}\n{done.stdout}\n{done.stderr}")
    return done.stdout


needs_command = unittest.skipUnless(COMMAND, "STRIDE_EXECUTABLE is not set")
