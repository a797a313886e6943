#include "apps/cli/context.h"

#include "apps/cli/build_info.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/streams.h"
#include "datasets/files/hdf5_version.h"
#include "framework/files/file.h"
#include "framework/files/json_text.h"
#include "framework/files/printable.h"
#include "pipeline/device_info.h"
#include "pipeline/run_folder.h"
#include "pipeline/seeds.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::json;

at::Device parse_device(const std::string& text) {
  const bool gpu = at::hasCUDA() && at::detail::getCUDAHooks().deviceCount() > 0;
  if (text == "auto") return gpu ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  if (text == "cpu") return at::kCPU;
  int64_t index = 0;
  if (text.starts_with("cuda:") && text.size() > 5 && text.size() < 9 &&
      text.find_first_not_of("0123456789", 5) == std::string::npos) {
    index = std::stoll(text.substr(5));
  } else if (text != "cuda") {
    throw UsageError(fmt::format("--device {}: write cpu, cuda, cuda:N or auto", text));
  }
  if (!gpu)
    throw UsageError(fmt::format("--device {}: this machine offers no CUDA device; `stride doctor` says why", text));
  const auto count = static_cast<int64_t>(at::detail::getCUDAHooks().deviceCount());
  if (index >= count) throw UsageError(fmt::format("--device {}: there are {} devices, counted from 0", text, count));
  return {at::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

at::ScalarType parse_dtype(const std::string& text) {
  if (text == "float64") return at::kDouble;
  if (text == "bfloat16") return at::kBFloat16;
  if (text == "float16") return at::kHalf;
  return at::kFloat;
}

void print_json(const Json& object) {
  write_result(object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

LogLevel threshold(const OptionValues& options) {
  if (options.flag("quiet")) return LogLevel::warning;
  return options.flag("verbose") ? LogLevel::debug : LogLevel::info;
}

}  // namespace

Context::Context(std::string command, OptionValues options, std::vector<std::string> command_line)
    : command_(std::move(command)),
      options_(std::move(options)),
      command_line_(std::move(command_line)),
      device_(options_.knows("device") ? parse_device(options_.text("device")) : at::Device(at::kCPU)),
      dtype_(options_.knows("dtype") ? parse_dtype(options_.text("dtype")) : at::kFloat),
      log_(threshold(options_), colour_on_stderr()) {
  if (options_.knows("seeds")) {
    const std::string& text = options_.text("seeds");
    const std::vector<SeedRange> ranges = parse_seed_ranges(text);
    seed_count_ = count_seeds(ranges);
    seeds_ = seed_count_ > kMostSeeds && dry_run() ? first_seeds(ranges, 1'000'000) : parse_seeds(text);
  }
  const int64_t threads = options_.integer("threads");
  if (threads < 0 || threads > 4096) throw UsageError(fmt::format("--threads {}: between 0 and 4096", threads));
  if (threads > 0) at::set_num_threads(static_cast<int>(threads));
  if (const auto from = resumed_from()) inputs_ = RunInputs(*from);
  if (options_.knows("batch") && batch() < 1) throw UsageError("--batch: at least 1");
  if (options_.knows("tf32")) {
    const bool tf32 = options_.flag("tf32");
    at::globalContext().setAllowTF32CuBLAS(tf32);
    at::globalContext().setAllowTF32CuDNN(tf32);
  }
}

std::string Context::seeds_text() const {
  return fmt::format("{}, {} at a time{}", seed_count_, batch(),
                     seed_count_ > kMostSeeds ? fmt::format("; a run has at most {}: split it", kMostSeeds) : "");
}

int64_t Context::batch() const { return options_.knows("batch") ? options_.integer("batch") : 0; }

void Context::print(const std::string& text) const {
  if (!json()) write_result(printable(text, Lines::kept));
}

ProgressBar Context::progress(const std::string& label, int64_t total) const {
  return {label, total, progress_style(quiet()), colour_on_stderr(), [] { return interrupted().has_value(); }};
}

bool Context::stop() const noexcept { return interrupted().has_value(); }

std::optional<std::string> Context::resumed_from() const {
  if (!options_.knows("resume") || !options_.has("resume")) return std::nullopt;
  return options_.text("resume");
}

std::string Context::manifest() const {
  Json out = {{"command", command_},
              {"versions",
               {{"stride", stride_version()},
                {"torch", torch_version()},
                {"cuda", cuda_version()},
                {"hdf5", hdf5_version()},
                {"compiler", compiler_version()}}},
              {"git", source_revision()},
              {"device", device_.str()},
              {"threads", at::get_num_threads()},
              {"time", utc_now()}};
  if (!seeds_.empty()) out["seeds"] = format_seeds(seeds_);
  if (device_.is_cuda()) out["device_name"] = device_name(device_.index());
  Json inputs = Json::array();
  for (const auto& [path, hash] : inputs_.all()) inputs.push_back({{"path", path}, {"sha256", hash}});
  out["inputs"] = inputs;
  for (const auto& [name, value] : facts_) out[name] = Json::parse(value);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

RunDir& Context::run_dir() {
  if (run_dir_) return *run_dir_;
  if (dry_run()) throw std::logic_error("a run folder under --dry-run");
  if (const auto from = resumed_from()) {
    run_dir_ = RunDir::resume(*from, command_line_);
    run_dir_->write_manifest(manifest());
  } else {
    run_dir_ = RunDir::create({.outdir = options_.text_or("outdir", ""),
                               .command = command_,
                               .config_toml = options_.to_toml(command_),
                               .command_line = command_line_,
                               .manifest_json = manifest()});
  }
  log_.open_file(run_dir_->file("log.ndjson"));
  log_.debug(fmt::format("run folder {}", run_dir_->path()));
  return *run_dir_;
}

EventFile& Context::events() {
  if (!events_) events_.emplace(run_dir().file("tb"));
  return *events_;
}

void Context::metric(const std::string& json_object) {
  run_dir().metric(json_object);
  const Json line = Json::parse(json_object);
  const auto step = line.find("step");
  if (step == line.end() || !step->is_number_integer()) return;
  for (const auto& [name, value] : line.items()) {
    if (name != "step" && value.is_number()) events().scalar(name, step->get<int64_t>(), value.get<double>());
  }
}

void Context::add_input(const std::string& path, const std::string& sha256) {
  inputs_.add(path, sha256);
  if (run_dir_) run_dir_->write_manifest(manifest());
}

void Context::add_fact(const std::string& name, const std::string& value_json) {
  facts_.emplace_back(name, value_json);
  if (run_dir_) run_dir_->write_manifest(manifest());
}

ExitCode Context::plan(const std::vector<std::pair<std::string, std::string>>& lines) const {
  if (json()) {
    Json plan = Json::object();
    for (const auto& [name, value] : lines) plan[name] = value;
    print_json(Json{{"plan", plan}});
    return ExitCode::ok;
  }
  std::size_t width = 0;
  for (const auto& [name, value] : lines) width = std::max(width, name.size());
  for (const auto& [name, value] : lines)
    write_result(fmt::format("{:{}}  {}\n", name, width, printable(value, Lines::escaped)));
  return ExitCode::ok;
}

ExitCode Context::done(const std::string& result_json, ExitCode code) {
  if (events_) events_->flush();
  if (run_dir_) run_dir_->finish(static_cast<int>(code));
  if (json()) {
    Json out = result_json.empty() ? Json::object() : Json::parse(result_json);
    if (run_dir_) out["run_dir"] = run_dir_->path();
    print_json(out);
  }
  return code;
}

std::optional<ExitCode> Context::finished(const std::vector<std::string>& files) {
  const auto from = resumed_from();
  if (!from || dry_run()) return std::nullopt;
  const std::string results = *from + "/results.json";
  const auto end = run_end(*from);
  if (!end || end->exit_code != 0 || !file_exists(results)) return std::nullopt;
  for (const std::string& file : files)
    if (!file_exists(*from + "/" + file)) return std::nullopt;
  require_undamaged(*from);
  if (!run_damage(*from, *end).empty()) return std::nullopt;  // something is gone, and made again
  Json out = parse_json_text(read_file(results), results);
  if (!out.is_object()) return std::nullopt;
  log_.info(fmt::format("the run in {} is finished: nothing is left to do", *from));
  for (const std::string& file : files) print(*from + "/" + file + "\n");
  if (!json()) return ExitCode::ok;
  out["run_dir"] = *from;
  print_json(out);
  return ExitCode::ok;
}

ExitCode Context::stopped(const std::string& what_is_saved) {
  log_.warning(fmt::format("stopped: {}", what_is_saved));
  if (run_dir_)
    log_.warning(fmt::format("continue with: stride {} --resume {}", command_, shell_quote({run_dir_->path()})));
  if (json()) {
    Json out = {{"stopped", true}};
    if (run_dir_) out["run_dir"] = run_dir_->path();
    print_json(out);
  }
  return interrupted().value_or(ExitCode::interrupted);
}

}  // namespace stride
