#include "framework/files/orphans.h"

#include "framework/files/file.h"
#include "framework/files/hash.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string_view>

namespace stride {
namespace {

std::string machine() {
  std::array<char, 256> text{};
  std::string out;
  if (::gethostname(text.data(), text.size() - 1) == 0) out += text.data();
  if (const ssize_t size = ::readlink("/proc/self/ns/pid", text.data(), text.size()); size > 0)
    out.append(text.data(), static_cast<std::size_t>(size));
  if (const int boot = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC); boot >= 0) {
    if (const ssize_t size = ::read(boot, text.data(), text.size()); size > 0)
      out.append(text.data(), static_cast<std::size_t>(size));
    ::close(boot);
  }
  return xxh3_128(out).substr(0, 8);
}

// PREFIX PROCESS "-" MACHINE "-" RANDOM: file.cpp
bool is_orphaned(const std::string& folder, std::string_view name) {
  constexpr std::chrono::hours kLongest{24};
  std::error_code failed;
  const auto written = std::filesystem::last_write_time(folder + "/" + std::string(name), failed);
  if (!failed && std::filesystem::file_time_type::clock::now() - written > kLongest) return true;
  name.remove_prefix(std::string_view(".stride-tmp-").size());
  int process = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), process);
  if (error != std::errc() || process <= 0) return false;
  name.remove_prefix(static_cast<std::size_t>(end - name.data()));
  return name.starts_with("-" + machine_name() + "-") && ::kill(process, 0) != 0 && errno == ESRCH;
}

}  // namespace

const std::string& machine_name() {
  static const std::string kName = machine();
  return kName;
}

std::vector<std::string> remove_orphaned_temporaries(const std::string& folder, FileSystem& files) noexcept {
  std::vector<std::string> removed;
  try {
    for (const std::string& name : list_folder(folder, files)) {
      if (!is_temporary(name) || !is_orphaned(folder, name)) continue;
      if (files.remove(folder + "/" + name) >= 0) removed.push_back(name);
    }
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): tidying is no reason to fail
  }
  return removed;
}

}  // namespace stride
