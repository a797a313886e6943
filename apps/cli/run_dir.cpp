#include "apps/cli/run_dir.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/lock.h"
#include "pipeline/run_folder.h"

#include <fmt/format.h>
#include <ctime>
#include <optional>
#include <random>

namespace stride {
namespace {

constexpr int kNameAttempts = 16;

std::string utc(const char* pattern) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, pattern, &parts)};
}

std::string new_folder(const std::string& root, const std::string& command) {
  make_folders(root);
  std::random_device random;
  for (int i = 0; i < kNameAttempts; ++i) {
    const std::string path = fmt::format("{}/{}-{}-{:08x}", root, utc("%Y%m%dT%H%M%SZ"), command, random());
    if (make_folder_exclusive(path)) return path;
  }
  throw ResourceError(fmt::format("no free name for a run folder under {}; is the folder writable?", root));
}

std::string given_folder(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0) make_folders(path.substr(0, slash));
  (void)make_folder_exclusive(path);
  return path;
}

// Until config.toml is there, --resume has nothing to continue and --outdir nothing to spare.
bool is_free(const std::string& path) {
  return !file_exists(path) || list_folder(path).empty() || is_stillborn_run(path);
}

UsageError not_new(const std::string& path) {
  return UsageError(fmt::format(
      "--outdir {} exists and is not empty: choose another folder, or continue that run with --resume {}", path, path));
}

std::string folder_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

struct RunDir::Impl {
  std::string path, config;
  std::optional<LockFile> lock;
  std::optional<AppendFile> metrics;
};

RunDir::RunDir(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RunDir::~RunDir() = default;
RunDir::RunDir(RunDir&&) noexcept = default;
RunDir& RunDir::operator=(RunDir&&) noexcept = default;

RunDir RunDir::create(const RunDirOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->path = options.outdir.empty() ? new_folder(options.root, options.command) : given_folder(options.outdir);
  impl->config = options.config_toml;
  require_new_folder(impl->path);
  impl->lock.emplace(impl->path + "/.lock", folder_name(impl->path));
  if (!is_free(impl->path)) throw not_new(impl->path);  // the run that held the lock a moment ago is in it
  (void)remove_stale_temporaries(impl->path);
  RunDir run(std::move(impl));
  run.write("command.txt", shell_quote(options.command_line) + "\n");
  run.write_manifest(options.manifest_json);
  // Last of the three: a folder with a config.toml is one that --resume can continue.
  run.write("config.toml", options.config_toml);
  return run;
}

RunDir RunDir::resume(const std::string& path, const std::vector<std::string>& command_line) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  if (!file_exists(path + "/config.toml")) impl->config = run_config(path);  // says why not
  impl->lock.emplace(path + "/.lock", folder_name(path));
  impl->config = run_config(path);
  require_undamaged(path);
  remove_temporaries_below(path);
  for (const char* name : {"metrics.jsonl", "log.ndjson"}) drop_torn_line(path + "/" + name);
  RunDir run(std::move(impl));
  remove_file(run.file("DONE"));
  const std::string earlier = file_exists(run.file("command.txt")) ? read_file(run.file("command.txt")) : "";
  run.write("command.txt", earlier + shell_quote(command_line) + "\n");
  return run;
}

const std::string& RunDir::path() const noexcept { return impl_->path; }

std::string RunDir::file(const std::string& name) const { return impl_->path + "/" + name; }

void RunDir::write(const std::string& name, const std::string& bytes) const {
  const auto slash = name.rfind('/');
  if (slash != std::string::npos) make_folders(file(name.substr(0, slash)));
  write_file_atomic(file(name), bytes);
}

void RunDir::metric(const std::string& json_object) {
  if (!impl_->metrics) impl_->metrics.emplace(file("metrics.jsonl"));
  impl_->metrics->append(json_object + "\n");
}

void RunDir::write_manifest(const std::string& manifest_json) const {
  write("manifest.json", run_manifest(manifest_json, impl_->config));
}

void RunDir::finish(int exit_code) const {
  if (impl_->metrics) impl_->metrics->sync();
  seal_run(impl_->path, exit_code, utc_now());
}

std::string shell_quote(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    out += out.empty() ? "" : " ";
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_-+=./:,@%") == std::string::npos;
    if (plain) {
      out += word;
      continue;
    }
    out += '\'';
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += '\'';
  }
  return out;
}

void require_new_folder(const std::string& path) {
  if (is_free(path)) return;
  if (const auto holder = lock_holder(path + "/.lock"))
    throw LockedError(
        fmt::format("--outdir {} is held by {}: wait for it to end, or choose another folder", path, *holder));
  throw not_new(path);
}

std::string utc_now() { return utc("%Y-%m-%dT%H:%M:%SZ"); }

}  // namespace stride
