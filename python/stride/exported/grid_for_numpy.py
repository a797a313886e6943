"""Noise levels of Stride, and their timesteps, as lists and as an array."""

import numpy

SIGMAS = None
TIMESTEPS = None


def sigmas():
    return numpy.array(SIGMAS)
