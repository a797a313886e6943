// Networks that Stride did not make, ready to run.
#pragma once

#include "pipeline/model_card.h"

#include <memory>
#include <string>

namespace stride {

/// The denoiser of a card of kind torchscript or aoti. `dtype` is the run's: where it is narrower than the card's,
/// TorchScript is converted. The hash of every file of code is compared before the file is opened.
/// Throws UsageError without `trust`, and where a package cannot have `dtype`; InputError on files that are not what
/// the card promises, on packages for another device or torch, and where the card's probe is answered otherwise
/// (pipeline/models/card_probe.h).
[[nodiscard]] std::shared_ptr<const Denoiser> load_foreign(const ModelSource& source, const at::Device& device,
                                                           at::ScalarType dtype, bool trust);

}  // namespace stride
