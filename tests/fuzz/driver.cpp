// stride_fuzz TARGET|all SECONDS [SEED [FOLDER]]: mutated files for SECONDS, each read by the target, starting from its
// own seeds and the files in FOLDER/TARGET. Prints how many were read and how many refused. A finding ends it with exit
// code 1 and stays in the working folder as fuzz-TARGET-SEED.bin (written before the file is read, so that a crash
// leaves it too).
#include "framework/error.h"
#include "framework/files/file.h"
#include "tests/fuzz/targets.h"
#include "tests/mutation.h"

#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

namespace {

using stride::fuzz::Target;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostSeeds = 2000;
constexpr std::size_t kLargest = 1 << 16;
constexpr double kSlow = 10.0;             // seconds for one small file
constexpr long kMostKilobytes = 6L << 20;  // what the process may ever have held, under sanitizers too

// One file after several mutations; sometimes its end is another file's.
std::string next(const std::vector<std::string>& seeds, std::mt19937_64& random) {
  std::string bytes = seeds[random() % seeds.size()];
  if (random() % 8 == 0) {
    const std::string& other = seeds[random() % seeds.size()];
    bytes = bytes.substr(0, random() % (bytes.size() + 1)) + other.substr(random() % (other.size() + 1));
  }
  for (uint64_t i = 0; i <= random() % 4; ++i) bytes = stride::testing::mutate(bytes, static_cast<unsigned>(random()));
  bytes.resize(std::min(bytes.size(), kLargest));
  return bytes;
}

bool fuzz(const Target& target, double seconds, unsigned seed, const std::string& folder) {
  std::vector<std::string> seeds = target.seeds();
  if (const std::string corpus = folder + "/" + target.name; !folder.empty() && std::filesystem::is_directory(corpus))
    for (const std::string& name : stride::list_folder(corpus)) seeds.push_back(stride::read_file(corpus + "/" + name));
  std::mt19937_64 random(seed);
  const std::string last = "fuzz-" + target.name + "-" + std::to_string(seed) + ".bin";
  long read = 0, refused = 0;
  const auto begin = Clock::now();
  const auto passed = [&](Clock::time_point since) {
    return std::chrono::duration<double>(Clock::now() - since).count();
  };
  const auto attempt = [&](const std::string& bytes) {
    std::ofstream(last, std::ios::binary | std::ios::trunc) << bytes;
    const auto start = Clock::now();
    std::string finding;
    bool whole = false;
    try {
      target.read(bytes);
      whole = true;
    } catch (const stride::Error& error) {
      ++refused;
      if (error.kind() == stride::ErrorKind::resources) finding = std::string("resources: ") + error.what();
    } catch (const std::exception& error) {
      finding = error.what();
    }
    ++read;
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    if (passed(start) > kSlow) finding = "slow";
    if (used.ru_maxrss > kMostKilobytes) finding = "memory";
    // What can be read is worth mutating again.
    if (whole && seeds.size() < kMostSeeds && random() % 4 == 0) seeds.push_back(bytes);
    if (finding.empty()) return true;
    std::printf("%s: FOUND %s; the file is %s\n", target.name.c_str(), finding.c_str(), last.c_str());
    return false;
  };
  for (const std::string& bytes : std::vector<std::string>(seeds))
    if (!attempt(bytes)) return false;
  while (passed(begin) < seconds)
    if (!attempt(next(seeds, random))) return false;
  std::filesystem::remove(last);
  std::printf("%-12s %9ld files, %9ld refused, seed %u, %.0f s\n", target.name.c_str(), read, refused, seed, seconds);
  return true;
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) {
    std::printf("stride_fuzz TARGET|all SECONDS [SEED [FOLDER]]; targets:");
    for (const Target& target : stride::fuzz::targets()) std::printf(" %s", target.name.c_str());
    std::printf("\n");
    return 2;
  }
  at::set_num_threads(1);
  const std::string wanted = words[1];
  const double seconds = std::atof(words[2]);
  const unsigned seed = count > 3 ? static_cast<unsigned>(std::atoi(words[3])) : 1;
  bool known = false, clean = true;
  for (const Target& target : stride::fuzz::targets()) {
    if (wanted != "all" && wanted != target.name) continue;
    known = true;
    clean = fuzz(target, seconds, seed, count > 4 ? words[4] : "") && clean;
  }
  if (!known) std::printf("no target %s\n", wanted.c_str());
  return known && clean ? 0 : 1;
}
