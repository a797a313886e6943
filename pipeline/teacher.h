// The sampler that others are measured against or fitted to, from its text.
#pragma once

#include "pipeline/sampler.h"

#include <string>

namespace stride {

/// A SamplerSpec from a text: a solver whose options may also be steps, nfe, schedule and final, e.g.
/// `heun:steps=40` or `heun:steps=40,schedule=karras,final=sigma_min`. Without steps and nfe: 40 steps.
[[nodiscard]] SamplerSpec parse_teacher(const std::string& text);

}  // namespace stride
