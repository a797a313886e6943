// stride doctor: what this machine offers, and what this program runs with.
#include "adaptive/plan/ceres_version.h"
#include "apps/cli/build_info.h"
#include "apps/cli/command.h"
#include "datasets/files/hdf5_version.h"
#include "pipeline/device_info.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

namespace stride {
namespace {

// The library that matrix products really go to: a BLAS linked before torch would take them over.
std::string blas_library() {
  void* symbol = dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info info{};
  if (symbol == nullptr || dladdr(symbol, &info) == 0) return "unknown";
  return std::filesystem::path(info.dli_fname).filename().string();
}

double gibibytes(int64_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024.0 * 1024.0); }

class Doctor final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    if (context.dry_run()) return context.plan({{"looks at", "libraries, devices, threads"}});
    const std::string blas = blas_library();
    const auto devices = cuda_devices();
    nlohmann::json out = {{"stride", stride_version()},
                          {"git", source_revision()},
                          {"torch", torch_version()},
                          {"cuda", cuda_version()},
                          {"hdf5", hdf5_version()},
                          {"ceres", ceres_version()},
                          {"compiler", compiler_version()},
                          {"blas", blas},
                          {"cores", std::thread::hardware_concurrency()},
                          {"threads", at::get_num_threads()},
                          {"devices", nlohmann::json::array()}};
    std::string text;
    const auto line = [&](const std::string& name, const std::string& value) {
      text += fmt::format("{:<10} {}\n", name, value);
    };
    line("stride", stride_version() + (source_revision().empty() ? "" : " (" + source_revision() + ")"));
    line("torch", torch_version());
    line("CUDA", cuda_version() + " (of the build)");
    line("HDF5", hdf5_version());
    line("Ceres", ceres_version());
    line("compiler", compiler_version());
    line("BLAS", blas);
    line("threads", fmt::format("{} of {} cores", at::get_num_threads(), std::thread::hardware_concurrency()));
    for (std::size_t i = 0; i < devices.size(); ++i) {
      const CudaDevice& device = devices[i];
      line(fmt::format("cuda:{}", i), fmt::format("{}, compute capability {}.{}, {:.1f} GiB", device.name, device.major,
                                                  device.minor, gibibytes(device.memory_bytes)));
      out["devices"].push_back({{"name", device.name},
                                {"compute_capability", fmt::format("{}.{}", device.major, device.minor)},
                                {"memory_bytes", device.memory_bytes}});
    }
    if (devices.empty()) {
      line("GPU", "none: " + cuda_trouble());
      out["cuda_trouble"] = cuda_trouble();
    }
    context.print(text);
    if (blas.find("torch") == std::string::npos) {
      context.log().warning("matrix products go to " + blas +
                            " and not to torch's own library: about three times slower. Link torch before Ceres.");
    }
    return context.done(out.dump());
  }

 private:
  CommandInfo info_{.name = "doctor",
                    .summary = "what this machine offers, and what this program runs with",
                    .example = "stride doctor --json\nprints one object with versions, threads and devices"};
};

}  // namespace

std::unique_ptr<Command> make_cmd_doctor() { return std::make_unique<Doctor>(); }

}  // namespace stride
