#include "pipeline/samples_output.h"

#include "datasets/files/npz.h"
#include "datasets/images/png.h"
#include "datasets/images/png_data.h"
#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/text_list.h"
#include "pipeline/status_text.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <map>

namespace stride {
namespace {

constexpr int64_t kLargestGrid = 400;  // samples in grid.png
constexpr int64_t kPixelRows = 256;    // samples that are turned into pixels together

bool wants(const std::vector<std::string>& save, const char* what) {
  return std::find(save.begin(), save.end(), what) != save.end();
}

std::map<std::string, std::string> attributes_of(const Sampler& sampler, const ModelInfo& model, at::ScalarType dtype) {
  return {
      {"solver", sampler.spec.solver}, {"schedule", sampler.spec.schedule}, {"final", to_string(sampler.spec.final)},
      {"policy", sampler.spec.policy}, {"term", sampler.spec.term},         {"dtype", at::toString(dtype)},
      {"model", model.name},           {"model_sha256", model.sha256}};
}

}  // namespace

std::vector<std::string> parse_save(const std::string& text, const ModelInfo& model, std::size_t samples) {
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
  const auto bytes = static_cast<uint64_t>(c10::multiply_integers(model.shape));
  if (wants(out, "npz") && samples > 0 && !fits_npz(samples * (bytes + 1)))
    throw UsageError(fmt::format("`save` {}: {} samples are more than the 4 GiB of an .npz file", text, samples));
  return out;
}

SamplesHead samples_head(const Sampler& sampler, const ModelInfo& model, at::ScalarType dtype, std::size_t rows) {
  SamplesHead out;
  out.rows = static_cast<int64_t>(rows);
  out.shape = model.shape;
  out.dtype = state_dtype(dtype);
  if (sampler.fixed()) out.sigmas = at::tensor(sampler.grid.sigmas(), at::TensorOptions().dtype(at::kDouble));
  out.attributes = attributes_of(sampler, model, dtype);
  return out;
}

Samples sample_rows(const Tensor& seeds, const RunResult& result) {
  Samples out;
  out.x = result.x;
  out.seed = seeds;
  out.nfe = result.nfe;
  out.model_evals = result.model_evals;
  out.status = result.status;
  return out;
}

void require_same_run(const Samples& earlier, const std::string& path, const Sampler& sampler, const ModelInfo& model,
                      at::ScalarType dtype, const std::vector<int64_t>& seeds) {
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
  const at::ArrayRef<int64_t> have(earlier.seed.const_data_ptr<int64_t>(), static_cast<std::size_t>(earlier.x.size(0)));
  if (have.size() > seeds.size() || have != at::ArrayRef(seeds).slice(0, have.size())) refuse("seeds");
  if (!sampler.fixed() || earlier.x.size(0) == 0) return;
  if (!earlier.sigmas.defined() || !at::equal(earlier.sigmas, at::tensor(sampler.grid.sigmas(), at::kDouble)))
    refuse("sigmas");
}

SamplesSummary summarise(const Samples& samples) {
  SamplesSummary out;
  out.samples = samples.seed.size(0);
  if (out.samples == 0) return out;
  out.ok = samples.status.eq(static_cast<int8_t>(Status::ok)).sum().item<int64_t>();
  out.failures = status_text(samples.status);
  out.nfe_max = samples.nfe.max().item<int64_t>();
  out.nfe_mean = samples.nfe.to(at::kDouble).mean().item<double>();
  out.model_evals_mean = samples.model_evals.to(at::kDouble).mean().item<double>();
  return out;
}

void save_pictures(const std::string& folder, const Samples& samples, const std::vector<std::string>& save,
                   const ImageStages& pictures) {
  const int64_t n = samples.x.size(0);
  if (n == 0 || (!wants(save, "npz") && !wants(save, "png"))) return;
  const std::vector<int64_t> shape = pictures.out_shape(samples.x.sizes().slice(1).vec());
  const auto pixels_of = [&](int64_t first, int64_t rows) {
    return to_pixels(pictures(samples.x.narrow(0, first, rows)));
  };
  const auto in_pieces = [&](const auto& take) {
    for (int64_t first = 0; first < n; first += kPixelRows)
      take(first, pixels_of(first, std::min(kPixelRows, n - first)));
  };
  if (wants(save, "npz")) {
    const NpzArray pixels{"arr_0", at::kByte, {n, shape[1], shape[2], shape[0]}, [&](const NpzSink& sink) {
                            in_pieces([&](int64_t, const Tensor& piece) {
                              sink({reinterpret_cast<const char*>(piece.const_data_ptr<uint8_t>()), piece.nbytes()});
                            });
                          }};
    AtomicFile file(folder + "/samples.npz");
    write_npz({pixels}, [&](std::string_view piece) { file.write(piece); });
    file.commit();
  }
  if (!wants(save, "png")) return;
  make_folders(folder + "/images");
  const auto* seeds = samples.seed.const_data_ptr<int64_t>();
  in_pieces([&](int64_t first, const Tensor& pixels) {
    for (int64_t i = 0; i < pixels.size(0); ++i)
      write_file_atomic(fmt::format("{}/images/{:06}.png", folder, seeds[first + i]), encode_png(pixels[i]));
  });
  const int64_t shown = std::min(n, kLargestGrid);
  const auto columns = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(shown))));
  const Tensor grid = tile_images(pixels_of(0, shown), columns);
  write_file_atomic(folder + "/grid.png", encode_png(grid));
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
