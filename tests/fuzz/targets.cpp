#include "tests/fuzz/targets.h"

#include "datasets/files/guarded.h"
#include "datasets/files/hdf5.h"
#include "datasets/files/npy.h"
#include "datasets/files/npz.h"
#include "datasets/files/npz_reader.h"
#include "datasets/images/image_codec.h"
#include "datasets/images/image_source.h"
#include "datasets/images/png.h"
#include "datasets/store/manifest.h"
#include "evaluation/evaluation_result.h"
#include "evaluation/report/report.h"
#include "framework/error.h"
#include "framework/files/json_text.h"
#include "framework/files/safetensors.h"
#include "framework/files/seal.h"
#include "pipeline/familiar/config_document.h"
#include "pipeline/familiar/png_text.h"
#include "pipeline/model_card.h"
#include "pipeline/toml_reader.h"
#include "solvers/plan.h"

#include <ATen/ATen.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace stride::fuzz {
namespace {

/// Bytes as a file that has a path and no place on a disk.
class MemoryFile final {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    if (descriptor_ < 0 || ::write(descriptor_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("no file in memory");
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

void read_images(std::string_view bytes) {
  const MemoryFile file(bytes);
  const auto images = open_images(file.path(), {});
  for (int64_t i = 0; i < std::min<int64_t>(images->size(), 4); ++i) (void)images->decode(i);
}

// A document may carry a checksum: one that is right, so that what lies behind it is reached.
std::string resealed(std::string_view bytes) {
  nlohmann::ordered_json all = parse_ordered_json_text(bytes, "fuzz");
  return all.is_object() && all.contains(kSealKey) ? sealed_json(std::move(all)) : std::string(bytes);
}

EvaluationResult small_result() {
  EvaluationResult result;
  result.model = "m";
  result.shape = {2};
  result.seeds = "0-3";
  result.n = 4;
  result.block_sizes = {2, 2};
  result.complete = true;
  SamplerResult row;
  row.sampler = "euler";
  row.schedule = "karras";
  row.final = "zero";
  row.steps = 2;
  row.cost = {4, 2.0, 2.0, 2, 2.0, 0.1, 100};
  row.blocks = {row.cost, row.cost};
  row.metrics = {{"rmse", {0.5, 0.4, 0.6}, {0.5, 0.5}}};
  row.sigmas = {80.0, 1.0, 0.0};
  row.nfe_counts = {{2, 4}};
  row.paths = {{80.0, 0.0}};
  result.teacher = row;
  result.samplers = {row};
  return result;
}

std::string small_plan() {
  Plan plan;
  plan.sigmas = {80.0, 1.0, 0.002};
  plan.weights = {{1.0}, {1.5, -0.5}};
  plan.scale_time = {1.0, 1.0};
  plan.fit_json = R"({"seconds": 1.0})";
  return plan.to_json();
}

std::string small_manifest() {
  StoreManifest manifest;
  manifest.config.model_sha256 = "abc";
  manifest.config.solver = "heun";
  manifest.config.schedule = "karras";
  manifest.config.final = "zero";
  manifest.config.sample_shape = {2};
  manifest.config.steps = 2;
  manifest.config.sigmas = {80.0, 1.0, 0.0};
  manifest.shards = {{shard_name(0), 3, 1000, std::string(32, '0'), SeedRanges(std::vector<int64_t>{0, 1, 5})}};
  return manifest.to_json();
}

constexpr const char* kCard = R"([model]
kind = "gaussian_mixture"
weights = [0.3, 0.7]
means = [[-1.0, 0.5], [2, 0]]
std = [0.2, 0.4]
shape = [2]
noise_schedule = { kind = "scaled_linear", beta_start = 0.00085, beta_end = 0.012, steps = 1000 }
classes = [0, 1]
)";

constexpr const char* kForeignCard = R"([model]
kind = "aoti"
packages = [ { file = "a.pt2", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", batch = 2 } ]
device = "cpu"
dtype = "bfloat16"
weights = "w.safetensors"
probe = "p.safetensors"
shape = [1, 8, 8]
time = "timestep"
noise_schedule = { kind = "linear" }
conditions = [ { name = "class", classes = 3, null = 3 }, { name = "e", shape = [2, 3], null = "zeros" }, { name = "g", guidance = true, default = 2 } ]
)";

std::string small_hdf5() {
  hdf5::ImageWriter image;
  image.attribute("solver", "heun");
  image.dataset("x", at::arange(12, at::kFloat).view({3, 4}));
  image.dataset("labels", at::arange(3, at::kLong));
  return image.finish();
}

std::string small_png() { return encode_png(at::arange(27, at::TensorOptions().dtype(at::kByte)).view({3, 3, 3})); }

std::string tar_of(const std::string& name, const std::string& bytes) {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  header.replace(100, 8, "0000644 ");
  char size[13];
  std::snprintf(size, sizeof size, "%011zo ", bytes.size());
  header.replace(124, 12, size);
  header.replace(148, 8, "        ");
  header[156] = '0';
  header.replace(257, 6, std::string("ustar\0", 6));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  char text[9];
  std::snprintf(text, sizeof text, "%06o", sum);
  header.replace(148, 6, text);
  header[154] = '\0';
  return header + bytes + std::string((512 - bytes.size() % 512) % 512, '\0') + std::string(1024, '\0');
}

std::string small_idx() {
  std::string out("\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02", 16);
  return out + "abcdefgh";
}

std::string some_safetensors() {
  return format_safetensors({{"w", at::ones({2, 3})}, {"b", at::zeros({3}, at::kLong)}}, {{"format", "x"}});
}

std::string stride_images() {
  return format_safetensors({{"images", at::zeros({2, 1, 2, 2}, at::kByte)}, {"labels", at::zeros({2}, at::kLong)}},
                            {{"format", "stride-images"}, {"version", "1"}, {"maximum", "255"}, {"classes", "10"}});
}

constexpr const char* kScheduler =
    R"({"_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": true, "lambda_min_clipped": -Infinity})";
constexpr const char* kWorkflow = R"({"3": {"class_type": "SamplerCustom", "inputs": {"model": ["4", 0], "cfg": 7,
"sampler": ["5", 0], "sigmas": ["6", 1], "noise_seed": 3}}, "4": {"class_type": "ModelSamplingFlux", "inputs": {}},
"5": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}}, "6": {"class_type": "SplitSigmas", "inputs":
{"sigmas": ["7", 0], "step": 3}}, "7": {"class_type": "BasicScheduler", "inputs": {"scheduler": "simple", "steps": 9}}})";
constexpr const char* kInfotext =
    "a\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 3, Lora hashes: \"a: 1, b: 2\"";

// A PNG of nothing but text; the checksums of text that is changed no longer hold.
std::string small_text_png() {
  const std::string text = std::string("parameters\0", 11) + "Steps: 2, Sampler: Euler";
  std::string out("\x89PNG\r\n\x1a\n\0\0\0", 11);
  out += static_cast<char>(text.size());
  return out + "tEXt" + text + std::string("\x7e\x7d\x0c\x6a\0\0\0\0IEND\xae\x42\x60\x82", 16);
}

std::vector<Target> all() {
  const auto one = [](std::string (*make)()) { return [make] { return std::vector<std::string>{make()}; }; };
  return {
      {"json", [](std::string_view bytes) { (void)parse_json_text(bytes, "fuzz").dump(); },
       [] {
         return std::vector<std::string>{R"({"a": [1, -2.5e3, "\u00e9\n", null, true], "b": {"c": {}}})", "[[[[]]]]",
                                         "1e999", "\"\xff\""};
       }},
      {"toml", [](std::string_view bytes) { (void)parse_toml_text(std::string(bytes), "fuzz"); },
       [] {
         return std::vector<std::string>{kCard, "a.b.c = 1\n[x.y]\nz = [1, 2.5, '''t''', \"\\u00e9\", 1979-05-27]\n",
                                         "[[a]]\nb = { c = { d = 1 } }\n", sealed_toml(kCard)};
       }},
      {"card", [](std::string_view bytes) { (void)parse_model_card(std::string(bytes), "fuzz"); },
       [] {
         return std::vector<std::string>{kCard, "[model]\nkind = \"unet\"\nfile = \"x\"\nshape = [1, 8, 8]\n",
                                         kForeignCard};
       }},
      {"config",
       [](std::string_view bytes) {
         (void)parse_config(is_png(bytes) ? png_settings_text(bytes, "fuzz") : std::string(bytes), "fuzz");
       },
       [] {
         return std::vector<std::string>{kScheduler, kWorkflow, kInfotext, small_text_png()};
       }},
      {"plan", [](std::string_view bytes) { (void)Plan::from_json(resealed(bytes), "fuzz"); }, one(small_plan)},
      {"manifest", [](std::string_view bytes) { (void)StoreManifest::from_json(resealed(bytes), "fuzz"); },
       one(small_manifest)},
      {"results",
       [](std::string_view bytes) {
         ReportData data;
         data.evaluations = {evaluation_from_json(resealed(bytes), "fuzz")};
         data.apart = {""};
         (void)report_html(data);
         (void)to_csv(data.evaluations[0]);
       },
       [] { return std::vector<std::string>{to_json(small_result())}; }},
      {"safetensors", [](std::string_view bytes) { (void)parse_safetensors(bytes, "fuzz"); }, one(some_safetensors)},
      {"npy", [](std::string_view bytes) { (void)parse_npy(bytes, "fuzz"); },
       [] {
         return std::vector<std::string>{npy_bytes(at::arange(6, at::kDouble).view({2, 3})),
                                         npy_bytes(at::arange(6, at::TensorOptions().dtype(at::kByte)))};
       }},
      {"npz",
       [](std::string_view bytes) {
         const NpzReader file(std::string(bytes), "fuzz");
         for (const std::string& name : file.names()) (void)file.read(name);
       },
       [] {
         return std::vector<std::string>{npz_bytes({{"mu", at::zeros({3}, at::kDouble)}, {"n", at::ones({1})}})};
       }},
      {"hdf5",
       [](std::string_view bytes) {
         const MemoryFile file(bytes);
         (void)hdf5::read_foreign_dataset(file.path(), "x");
       },
       one(small_hdf5)},
      {"picture", [](std::string_view bytes) { (void)decode_image(bytes, "fuzz"); }, one(small_png)},
      {"images", read_images,
       [] {
         return std::vector<std::string>{tar_of("a/0.png", small_png()), small_idx(), stride_images(), small_hdf5()};
       }},
  };
}

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> kTargets = all();
  return kTargets;
}

}  // namespace stride::fuzz
