// Model cards: a TOML file that says what a denoiser is (docs/cli.md lists the keys).
#pragma once

#include "framework/denoiser.h"
#include "framework/grids/noise_schedule.h"
#include "framework/models/gaussian_mixture.h"
#include "pipeline/models/foreign_card.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stride {

struct ModelCard {
  ModelInfo info;                  ///< sha256 is that of the weights, or of the card's text
  GaussianMixtureOptions mixture;  ///< kind gaussian_mixture
  std::string file;                ///< as written in the card; empty for closed forms
  std::string file_sha256;         ///< what the card promises; empty: nothing
  std::string prediction = "edm";
  std::string time = "c_noise";
  std::optional<Spec> noise_schedule;  ///< the card's, if it names one
  std::vector<int64_t> batches;        ///< sizes that the network accepts; empty: any
  std::string probe, probe_sha256;     ///< what the network answered where it was exported; empty: not known
  std::optional<ForeignCard> foreign;  ///< of the kinds torchscript and aoti
};

/// Parses a card. `where` (the file's name) starts every message. Text that is not TOML, a missing key or a
/// value of the wrong kind is an InputError; an unknown key a UsageError with 'did you mean'.
[[nodiscard]] ModelCard parse_model_card(const std::string& text, const std::string& where);

/// A card with the bytes that belong to it.
struct ModelSource {
  ModelCard card;
  std::string where;    ///< path of the card, or "embedded:NAME"
  std::string text;     ///< the card itself
  std::string weights;  ///< path of the weights file; empty where there is none
};

/// Names of the models that come with this program: those inside it, then those beside it (pipeline/shipped_models.h).
[[nodiscard]] std::vector<std::string> known_models();

/// Finds `--model CARD.toml | NAME`. Throws UsageError on an unknown name, InputError on a missing or
/// malformed card.
[[nodiscard]] ModelSource find_model(const std::string& name_or_path);

/// A denoiser ready to run on `device`.
struct LoadedModel {
  ModelSource source;
  std::shared_ptr<const Denoiser> denoiser;
  [[nodiscard]] const ModelInfo& info() const noexcept { return denoiser->info(); }
};

/// Loads the weights (their SHA-256 checked first) in `dtype`, onto `device`, and runs the card's probe. Throws
/// InputError on a file that is missing or not what the card promises, and where the probe is answered otherwise than
/// it says; UsageError on a network that is a program (kinds torchscript and aoti) without `trust`.
[[nodiscard]] LoadedModel load_model(const std::string& name_or_path, at::Device device, at::ScalarType dtype,
                                     bool trust = false);

}  // namespace stride
