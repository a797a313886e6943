#include "neural/training/checkpoint.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_seal.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace stride {

void save_checkpoint(const std::string& path, const TrainingState& state, const std::string& identity) {
  write_safetensors(path,
                    {{"parameters", state.parameters.detach()},
                     {"average", state.average},
                     {"mean", state.adam.mean},
                     {"square", state.adam.square},
                     {"step", at::full({1}, state.adam.step, at::kLong)}},
                    {{"format", "stride-checkpoint"}, {"version", "2"}, {"identity", identity}});
}

std::optional<TrainingState> load_checkpoint(const std::string& path, const std::string& identity, int64_t parameters,
                                             const at::Device& device) {
  if (path.empty() || !file_exists(path)) return std::nullopt;
  const std::string bytes = read_file(path);
  const Safetensors file = parse_safetensors(bytes, path);
  const auto entry = [&](const std::string& key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  // Version 1 had no checksum.
  if (entry("format") != "stride-checkpoint" || (entry("version") != "1" && entry("version") != "2"))
    throw InputError(fmt::format("{}: is not a training checkpoint; remove it or train somewhere else", path));
  if (entry("version") == "2" && !is_sealed_safetensors(bytes))
    throw InputError(fmt::format(
        "{}: its checksum is gone: the checkpoint is damaged; remove it to start the training again", path));
  if (entry("identity") != identity)
    throw UsageError(
        fmt::format("{}: is the checkpoint of another training; train into another folder, or remove the file to "
                    "start again.\n  there: {}\n  here:  {}",
                    path, entry("identity"), identity));
  const auto tensor = [&](const std::string& name, at::ScalarType type, int64_t size) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end() || found->second.scalar_type() != type || found->second.dim() != 1 ||
        found->second.size(0) != size)
      throw InputError(
          fmt::format("{}: tensor '{}' is missing or of another shape; the checkpoint is damaged", path, name));
    return found->second;
  };
  TrainingState state;
  state.parameters = tensor("parameters", at::kFloat, parameters).to(device);
  state.average = tensor("average", at::kFloat, parameters).to(device);
  state.adam.mean = tensor("mean", at::kFloat, parameters).to(device);
  state.adam.square = tensor("square", at::kFloat, parameters).to(device);
  state.adam.step = tensor("step", at::kLong, 1).item<int64_t>();
  if (state.adam.step < 0) throw InputError(fmt::format("{}: its step is negative; the checkpoint is damaged", path));
  return state;
}

}  // namespace stride
