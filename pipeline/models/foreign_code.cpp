#include "pipeline/models/foreign_code.h"

#include "framework/error.h"
#include "framework/files/hash.h"
#include "framework/files/safetensors.h"
#include "pipeline/models/model_files.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace stride {

void require_trust(bool trust, const std::string& given, const std::string& file) {
  if (trust) return;
  throw UsageError(fmt::format(
      "{}: {} is a program, which this one would run; give `trust_model` if you know where it is from", given, file));
}

void require_code(const std::string& where, const ForeignCard& card, const at::Device& device) {
  if (!card.device.empty() && card.device != (device.is_cuda() ? "cuda" : "cpu"))
    throw InputError(
        fmt::format("{}: {} was compiled for {}, and this run is on {}: choose that `device`, or export "
                    "the network for this one",
                    where, card.code.front().file, card.device, device.str()));
  for (const CodeFile& code : card.code) (void)model_file_sha256(where, code.file, code.sha256);
}

ForeignWeights read_weights(const std::string& where, const ForeignCard& card, const at::Device& device) {
  ForeignWeights out;
  if (card.weights.empty()) return out;
  const std::string path = model_path(where, card.weights);
  const std::string bytes = model_bytes(where, card.weights, card.weights_sha256);
  out.sha256 = sha256(bytes);
  for (const auto& [name, tensor] : parse_safetensors(bytes, path).tensors) out.tensors[name] = tensor.to(device);
  if (out.tensors.empty()) throw InputError(fmt::format("{}: holds no tensor", path));
  return out;
}

}  // namespace stride
