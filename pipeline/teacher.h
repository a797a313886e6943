// The sampler that others are measured against or fitted to, from its text.
#pragma once

#include "pipeline/sampler.h"

#include <string>

namespace stride {

/// A SamplerSpec from a text: a solver whose options may also be steps, nfe, schedule and final, e.g.
/// `heun:steps=40` or `heun:steps=40,schedule=karras,final=sigma_min`. Without steps and nfe: 40 steps.
[[nodiscard]] SamplerSpec parse_teacher(const std::string& text);

/// A resolved spec as such a text, with steps, schedule and end.
[[nodiscard]] std::string teacher_text(const SamplerSpec& spec);

/// Throws UsageError for a sampler whose result depends on noise: a comparison with a teacher needs one answer per
/// seed.
void require_one_answer(const Sampler& teacher);

}  // namespace stride
