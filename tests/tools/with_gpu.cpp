// with_gpu PROGRAM ARGUMENTS...: becomes PROGRAM where the CUDA driver sees a device, else says why not and exits
// with 77, which ctest reports as skipped. With STRIDE_REQUIRE_GPU set, a machine without one is a failure. Asks
// the driver itself, so that the answer takes no start of LibTorch.
#include <dlfcn.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>

namespace {

// Empty when there is a device.
const char* why_no_gpu() {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW);
  if (driver == nullptr) return "no CUDA driver (libcuda.so.1) on this machine";
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto count = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  if (init == nullptr || count == nullptr) return "libcuda.so.1 lacks cuInit or cuDeviceGetCount";
  if (init(0) != 0) return "the CUDA driver does not start (cuInit failed)";
  int devices = 0;
  if (count(&devices) != 0 || devices == 0) return "the CUDA driver sees no device";
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: with_gpu PROGRAM [ARGUMENTS...]\n");
    return 2;
  }
  const char* reason = why_no_gpu();
  if (*reason != '\0') {
    const bool required = std::getenv("STRIDE_REQUIRE_GPU") != nullptr;
    std::printf("%s: %s\n", required ? "failed, STRIDE_REQUIRE_GPU is set" : "skipped", reason);
    return required ? 1 : 77;
  }
  execvp(argv[1], argv + 1);
  std::perror(argv[1]);
  return 127;
}
