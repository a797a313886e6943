#include "pipeline/samples_output.h"

#include "datasets/files/npz.h"
#include "datasets/images/png.h"
#include "datasets/images/png_data.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/text_list.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <map>

namespace stride {
namespace {

constexpr int64_t kLargestGrid = 400;  // samples in grid.png

bool wants(const std::vector<std::string>& save, const char* what) {
  return std::find(save.begin(), save.end(), what) != save.end();
}

// Where each of `seeds` lies in `have` (int64 `[n]`); seeds that are not there are left out.
Tensor rows_in_order(const Tensor& have, const std::vector<int64_t>& seeds) {
  std::map<int64_t, int64_t> place;
  const auto* ids = have.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < have.size(0); ++i) place[ids[i]] = i;
  std::vector<int64_t> rows;
  for (const int64_t seed : seeds) {
    if (const auto found = place.find(seed); found != place.end()) rows.push_back(found->second);
  }
  return at::tensor(rows, at::TensorOptions().dtype(at::kLong));
}

std::map<std::string, std::string> attributes_of(const Sampler& sampler, const ModelInfo& model, at::ScalarType dtype) {
  return {
      {"solver", sampler.spec.solver}, {"schedule", sampler.spec.schedule}, {"final", to_string(sampler.spec.final)},
      {"policy", sampler.spec.policy}, {"term", sampler.spec.term},         {"dtype", at::toString(dtype)},
      {"model", model.name},           {"model_sha256", model.sha256}};
}

}  // namespace

std::vector<std::string> parse_save(const std::string& text, const ModelInfo& model) {
  std::vector<std::string> out = {"h5"};
  for (const std::string& word : split_list(text)) {
    if (word != "h5" && word != "npz" && word != "png") {
      throw UsageError(fmt::format("`save` {}: '{}' is none of h5, npz, png", text, word));
    }
    if (word != "h5" && !is_image_shape(model.shape)) {
      throw UsageError(
          fmt::format("`save` {}: the samples of '{}' are no images [C, H, W] with 1 or 3 channels; h5 holds any shape",
                      word, model.name));
    }
    if (!wants(out, word.c_str())) out.push_back(word);
  }
  return out;
}

Samples make_samples(const Draws& draws, const Samples* earlier, const std::vector<int64_t>& seeds,
                     const Sampler& sampler, const ModelInfo& model, at::ScalarType dtype) {
  Samples out;
  out.x = draws.x.scalar_type() == at::kBFloat16 ? draws.x.to(at::kFloat) : draws.x;
  out.seed = draws.seeds;
  out.nfe = draws.nfe.to(at::kInt);
  out.model_evals = draws.model_evals.to(at::kInt);
  out.status = draws.status;
  if (earlier != nullptr) {
    out.x = at::cat({earlier->x, out.x});
    out.seed = at::cat({earlier->seed, out.seed});
    out.nfe = at::cat({earlier->nfe, out.nfe});
    out.model_evals = at::cat({earlier->model_evals, out.model_evals});
    out.status = at::cat({earlier->status, out.status});
  }
  const Tensor rows = rows_in_order(out.seed.contiguous(), seeds);
  for (Tensor* values : {&out.x, &out.seed, &out.nfe, &out.model_evals, &out.status})
    *values = values->index_select(0, rows);
  if (sampler.fixed()) out.sigmas = at::tensor(sampler.grid.sigmas(), at::TensorOptions().dtype(at::kDouble));
  out.attributes = attributes_of(sampler, model, dtype);
  return out;
}

void require_same_run(const Samples& earlier, const std::string& path, const Sampler& sampler, const ModelInfo& model,
                      at::ScalarType dtype) {
  const auto refuse = [&](const std::string& field) {
    throw InputError(
        fmt::format("{}: its samples are of another run, they differ in {}: start a new run", path, field));
  };
  for (const auto& [name, text] : attributes_of(sampler, model, dtype)) {
    const auto found = earlier.attributes.find(name);
    // An inversion names itself there.
    const bool inverted = name == "solver" && found != earlier.attributes.end() && found->second == kInverted;
    if (!inverted && (found == earlier.attributes.end() || found->second != text)) refuse(name);
  }
  if (earlier.x.sizes().slice(1) != at::IntArrayRef(model.shape)) refuse("shape");
  if (!sampler.fixed() || earlier.x.size(0) == 0) return;
  if (!earlier.sigmas.defined() || !at::equal(earlier.sigmas, at::tensor(sampler.grid.sigmas(), at::kDouble)))
    refuse("sigmas");
}

void save_samples(const std::string& folder, const Samples& samples, const std::vector<std::string>& save) {
  write_samples(folder + "/samples.h5", samples);
  if (samples.x.size(0) == 0 || (!wants(save, "npz") && !wants(save, "png"))) return;
  const Tensor pixels = to_pixels(samples.x);
  if (wants(save, "npz")) write_file_atomic(folder + "/samples.npz", npz_bytes({{"arr_0", pixels}}));
  if (!wants(save, "png")) return;
  make_folders(folder + "/images");
  for (int64_t i = 0; i < pixels.size(0); ++i) {
    const std::string name = fmt::format("{}/images/{:06}.png", folder, samples.seed[i].item<int64_t>());
    write_file_atomic(name, encode_png(pixels[i]));
  }
  const int64_t shown = std::min(pixels.size(0), kLargestGrid);
  const auto columns = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(shown))));
  write_file_atomic(folder + "/grid.png", encode_png(tile_images(pixels.narrow(0, 0, shown), columns)));
}

std::vector<std::pair<std::string, std::string>> saved_files(const std::string& folder, const Samples& samples,
                                                             const std::vector<std::string>& save) {
  std::vector<std::pair<std::string, std::string>> out;
  if (samples.x.size(0) == 0) return out;
  if (wants(save, "npz")) out.emplace_back("npz", folder + "/samples.npz");
  if (!wants(save, "png")) return out;
  out.emplace_back("images", folder + "/images");
  out.emplace_back("grid", folder + "/grid.png");
  return out;
}

}  // namespace stride
