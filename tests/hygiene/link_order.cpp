// Where do torch's matrix products go? This library, preloaded into a program, looks from inside it and ends it:
// with 0 where the BLAS and LAPACK symbols that libtorch_cpu exports resolve into it and one OpenMP runtime is
// mapped, with 1 where they resolve into the system BLAS that Ceres brings along (three times slower). With
// STRIDE_LINK_CONTROL set the program is one that was linked in the wrong order, and 1 and 0 change places.
#include <dlfcn.h>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

namespace {

/// The file that `symbol` resolves into, or "" where nothing defines it.
std::string home_of(const char* symbol) {
  void* address = dlsym(RTLD_DEFAULT, symbol);
  Dl_info info{};
  if (address == nullptr || dladdr(address, &info) == 0 || info.dli_fname == nullptr) return "";
  return info.dli_fname;
}

/// Distinct mapped files whose name starts with `start`.
std::set<std::string> mapped(const std::string& start) {
  std::set<std::string> files;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string file = line.substr(slash);
    if (file.compare(file.rfind('/') + 1, start.size(), start) == 0) files.insert(file);
  }
  return files;
}

bool right_order() {
  bool right = true;
  for (const char* symbol : {"sgemm_", "dgemm_", "dgesdd_"}) {
    const std::string home = home_of(symbol);
    std::printf("%-8s %s\n", symbol, home.empty() ? "(undefined)" : home.c_str());
    right = right && home.find("libtorch_cpu") != std::string::npos;
  }
  std::set<std::string> openmp = mapped("libgomp");
  openmp.merge(mapped("libiomp"));
  openmp.merge(mapped("libomp"));
  for (const auto& file : openmp) std::printf("openmp   %s\n", file.c_str());
  if (openmp.size() != 1) {
    std::printf("expected one OpenMP runtime, %zu are mapped\n", openmp.size());
    right = false;
  }
  return right;
}

[[gnu::constructor]] void look() {
  const bool right = right_order();
  bool system_blas = false;
  for (const char* name : {"libblas", "libf77blas", "libopenblas", "liblapack"}) system_blas |= !mapped(name).empty();
  std::printf("a BLAS of the system's is %smapped\n", system_blas ? "" : "not ");
  int code = right ? 0 : 1;
  if (std::getenv("STRIDE_LINK_CONTROL") != nullptr) {
    code = right ? 1 : 0;
    if (!system_blas) {
      std::printf("skipped: Ceres brings no BLAS on this machine, so no order is wrong\n");
      code = 77;
    } else {
      std::printf(right ? "the wrong order was not found out\n" : "the wrong order was found out, as it must be\n");
    }
  } else if (!right) {
    std::printf("torch must be linked before everything else: see cmake/StrideDependencies.cmake\n");
  }
  std::fflush(stdout);
  std::_Exit(code);
}

}  // namespace
