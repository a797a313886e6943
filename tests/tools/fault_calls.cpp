#include "tests/tools/fault_calls.h"

#include <execinfo.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace stride::faults {
namespace {

// Interposed functions have no other place to keep anything.
struct File {
  std::string path;
  int opening = 0;
  bool folder = false;
};
struct State {
  std::mutex mutex;
  CallPlan plan;
  Counters* counters = nullptr;
  std::map<int, File> files;
  std::vector<Call> done;
  int openings = 0;
  bool full = false;
};
State& state() {
  static auto* const all = new State();  // never destroyed: calls come until the process ends
  return *all;
}
std::atomic<bool> calls_armed = false;
std::atomic<bool> allocations_armed = false;
AllocationPlan allocation_plan;
Counters* allocation_counters = nullptr;

std::string absolute(const char* path) {
  std::string whole = path;
  if (path[0] != '/') {
    std::array<char, PATH_MAX> here{};
    if (syscall(SYS_getcwd, here.data(), here.size()) < 0) return whole;
    whole = std::string(here.data()) + "/" + whole;
  }
  whole = std::filesystem::path(whole).lexically_normal().string();
  while (whole.size() > 1 && whole.back() == '/') whole.pop_back();
  return whole;
}

bool counts(const std::string& path) {
  const std::string& folder = state().plan.folder;
  return path.size() >= folder.size() && path.compare(0, folder.size(), folder) == 0 &&
         (path.size() == folder.size() || path[folder.size()] == '/');
}

bool needs_space(char kind) { return std::strchr("cwmrl", kind) != nullptr; }

/// Counts a call and says which errno it shall have: 0 none, −1 a short write.
int next(char kind) {
  State& now = state();
  const int n = now.counters != nullptr ? ++now.counters->calls : 0;
  if (now.counters != nullptr && n < static_cast<int>(sizeof now.counters->kinds)) now.counters->kinds[n - 1] = kind;
  if (now.full && needs_space(kind)) return ENOSPC;
  if (n != now.plan.nth) return 0;
  if (now.counters != nullptr) now.counters->suffered = true;
  switch (now.plan.fault) {
    case Fault::no_space:
      return ENOSPC;
    case Fault::io_error:
      return EIO;
    case Fault::interrupted:
      return EINTR;
    case Fault::short_write:
      return -1;
    case Fault::disk_full:
      now.full = true;
      return needs_space(kind) ? ENOSPC : 0;
    case Fault::kill:
      ::kill(::getpid(), SIGKILL);
      return 0;
    case Fault::signal:
      ::kill(::getpid(), now.plan.signal);
      return 0;
    case Fault::group_signal:
      ::kill(0, now.plan.signal);
      return 0;
    case Fault::none:
      break;
  }
  return 0;
}

void note(Call call) {
  if (state().plan.record) state().done.push_back(std::move(call));
}

int fails(int code) {
  errno = code;
  return -1;
}

int open_file(int folder, const char* path, int flags, unsigned mode) {
  const auto real = [&] { return static_cast<int>(syscall(SYS_openat, folder, path, flags, mode)); };
  if (!calls_armed || (folder != AT_FDCWD && path[0] != '/')) return real();
  const std::lock_guard lock(state().mutex);
  const std::string whole = absolute(path);
  if (!counts(whole)) return real();
  const bool writes = (flags & O_ACCMODE) != O_RDONLY && (flags & O_PATH) == 0;
  if (const int code = next(writes ? 'c' : 'o'); code > 0) return fails(code);
  const int descriptor = real();
  if (descriptor < 0) return descriptor;
  File& file = state().files[descriptor];
  file = {whole, ++state().openings, (flags & O_DIRECTORY) != 0};
  if (writes) note({'c', file.opening, flags, whole, {}, {}});
  return descriptor;
}

template <typename Real, typename Done>
int on_path(char kind, const char* path, const Real& real, const Done& done) {
  if (!calls_armed) return real();
  const std::lock_guard lock(state().mutex);
  const std::string whole = absolute(path);
  if (!counts(whole)) return real();
  if (const int code = next(kind); code > 0) return fails(code);
  const int result = real();
  if (result == 0) done(whole);
  return result;
}

int sync_file(long number, int descriptor) {
  const auto real = [&] { return static_cast<int>(syscall(number, descriptor)); };
  if (!calls_armed) return real();
  const std::lock_guard lock(state().mutex);
  const auto file = state().files.find(descriptor);
  if (file == state().files.end()) return real();
  if (const int code = next('s'); code > 0) return fails(code);
  note({file->second.folder ? 'S' : 's', file->second.opening, 0, file->second.path, {}, {}});
  return real();
}

bool allocation_fails(std::size_t size) {
  if (!allocations_armed || size < allocation_plan.size) return false;
  if (++allocation_counters->allocations != allocation_plan.nth) return false;
  allocations_armed = false;
  allocation_counters->suffered = true;
  std::array<void*, 64> frames{};
  if (allocation_plan.report >= 0)
    backtrace_symbols_fd(frames.data(), backtrace(frames.data(), static_cast<int>(frames.size())),
                         allocation_plan.report);
  errno = ENOMEM;
  return true;
}

Fault fault_named(const std::string& name) {
  const std::map<std::string, Fault> all = {{"no_space", Fault::no_space},       {"io_error", Fault::io_error},
                                            {"interrupted", Fault::interrupted}, {"short_write", Fault::short_write},
                                            {"disk_full", Fault::disk_full},     {"kill", Fault::kill}};
  const auto found = all.find(name);
  return found == all.end() ? Fault::none : found->second;
}

[[gnu::constructor]] void arm_by_environment() {
  const char* const folder = std::getenv("STRIDE_FAULT_FOLDER");
  const char* const nth = std::getenv("STRIDE_FAULT_NTH");
  const char* const fault = std::getenv("STRIDE_FAULT");
  if (folder == nullptr || nth == nullptr || fault == nullptr) return;
  static Counters own;
  arm(CallPlan{folder, std::atoi(nth), fault_named(fault)}, &own);
}

}  // namespace

void arm(const CallPlan& plan, Counters* counters) {
  const std::lock_guard lock(state().mutex);
  state().plan = plan;
  state().counters = counters;
  state().files.clear();
  state().done.clear();
  state().full = false;
  calls_armed = true;
}

void arm(const AllocationPlan& plan, Counters* counters) {
  std::array<void*, 4> frames{};
  (void)backtrace(frames.data(), static_cast<int>(frames.size()));  // the first call loads a library
  allocation_plan = plan;
  allocation_counters = counters;
  allocations_armed = true;
}

void disarm() {
  calls_armed = false;
  allocations_armed = false;
}

std::vector<Call> recorded_calls() {
  const std::lock_guard lock(state().mutex);
  return state().done;
}

}  // namespace stride::faults

using namespace stride::faults;

extern "C" {

int open(const char* path, int flags, ...) {
  unsigned mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, unsigned);
    va_end(more);
  }
  return open_file(AT_FDCWD, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  unsigned mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, unsigned);
    va_end(more);
  }
  return open_file(AT_FDCWD, path, flags, mode);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  const auto real = [&](size_t part) { return syscall(SYS_write, descriptor, bytes, part); };
  if (!calls_armed) return real(size);
  const std::lock_guard lock(state().mutex);
  const auto file = state().files.find(descriptor);
  if (file == state().files.end()) return real(size);
  const int code = next('w');
  if (code > 0) return fails(code);
  const ssize_t done = real(code < 0 && size > 1 ? size / 2 : size);
  if (done > 0)
    note({'w',
          file->second.opening,
          0,
          file->second.path,
          {},
          {static_cast<const char*>(bytes), static_cast<size_t>(done)}});
  return done;
}

int fsync(int descriptor) { return sync_file(SYS_fsync, descriptor); }
int fdatasync(int descriptor) { return sync_file(SYS_fdatasync, descriptor); }

int close(int descriptor) {
  const auto real = [&] { return static_cast<int>(syscall(SYS_close, descriptor)); };
  if (!calls_armed) return real();
  const std::lock_guard lock(state().mutex);
  if (state().files.erase(descriptor) == 0) return real();
  const int code = next('x');
  const int result = real();
  return code > 0 ? fails(code) : result;
}

int rename(const char* from, const char* to) {
  return on_path(
      'r', from, [&] { return static_cast<int>(syscall(SYS_rename, from, to)); },
      [&](const std::string& whole) {
        note({'r', 0, 0, whole, absolute(to), {}});
      });
}

int link(const char* from, const char* to) {
  return on_path(
      'l', to, [&] { return static_cast<int>(syscall(SYS_link, from, to)); },
      [&](const std::string& whole) {
        note({'l', 0, 0, absolute(from), whole, {}});
      });
}

int mkdir(const char* path, mode_t mode) {
  return on_path(
      'm', path, [&] { return static_cast<int>(syscall(SYS_mkdir, path, mode)); },
      [&](const std::string& whole) {
        note({'m', 0, 0, whole, {}, {}});
      });
}

int unlink(const char* path) {
  return on_path(
      'u', path, [&] { return static_cast<int>(syscall(SYS_unlink, path)); },
      [&](const std::string& whole) {
        note({'u', 0, 0, whole, {}, {}});
      });
}

int ftruncate(int descriptor, off_t size) {
  const auto real = [&] { return static_cast<int>(syscall(SYS_ftruncate, descriptor, size)); };
  if (!calls_armed) return real();
  const std::lock_guard lock(state().mutex);
  const auto file = state().files.find(descriptor);
  if (file == state().files.end()) return real();
  if (const int code = next('t'); code > 0) return fails(code);
  note({'t', file->second.opening, 0, file->second.path, {}, {}});
  return real();
}

void* malloc(size_t size) { return allocation_fails(size) ? nullptr : __libc_malloc(size); }
void* calloc(size_t count, size_t size) {
  return allocation_fails(count * size) ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) { return allocation_fails(size) ? nullptr : __libc_realloc(old, size); }
void* aligned_alloc(size_t alignment, size_t size) {
  return allocation_fails(size) ? nullptr : __libc_memalign(alignment, size);
}
void* memalign(size_t alignment, size_t size) {
  return allocation_fails(size) ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** place, size_t alignment, size_t size) {
  if (allocation_fails(size)) return ENOMEM;
  *place = __libc_memalign(alignment, size);
  return *place == nullptr ? ENOMEM : 0;
}

}  // extern "C"
