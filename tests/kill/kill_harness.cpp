// Kills writers with SIGKILL at random moments and checks what they had acknowledged.
//
//   kill_harness store --kills 1000         the trajectory store: nothing acknowledged may be lost or wrong, and
//                                           the next writer clears up and goes on
//   kill_harness in-place --kills 20        the control, an HDF5 file that grows in place unflushed: the same
//                                           check must find losses
//   kill_harness command --kills 100 --store DIR [--acks FILE] [--reference DIR --fresh DIR] -- CMD…
//                                           any command that records into the store DIR and goes on where it stopped;
//                                           a run that ended before its kill is compared with the reference, and
//                                           with the folder `fresh` gone the next begins anew
//
// Also: --seed N repeats the moments of a run, --milliseconds A-B is the range that they are drawn from. The writers
// are forked and not executed: loading LibTorch takes longer than the life of one.
#include "datasets/files/hdf5.h"
#include "datasets/store/trajectory_store.h"
#include "datasets/store/trajectory_writer.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "tests/kill/child.h"
#include "tests/kill/writers.h"
#include "tests/temporary_folder.h"
#include "tests/trajectory_content.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <random>
#include <sstream>
#include <thread>

namespace stride::kill {
namespace {

struct Arguments {
  std::string mode;
  int kills = 60;
  uint64_t seed = std::random_device{}();
  double from_ms = 0;
  double to_ms = 40;
  std::string store, acks, reference, fresh;
  std::vector<std::string> command;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  if (argc > 1) arguments.mode = argv[1];
  for (int i = 2; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--") {
      arguments.command.assign(argv + i + 1, argv + argc);
      break;
    }
    if (i + 1 == argc) throw UsageError(option + " needs a value");
    const std::string value = argv[++i];
    if (option == "--kills") {
      arguments.kills = std::stoi(value);
    } else if (option == "--seed") {
      arguments.seed = std::stoull(value);
    } else if (option == "--milliseconds") {
      arguments.from_ms = std::stod(value);
      arguments.to_ms = std::stod(value.substr(value.find('-') + 1));
    } else if (option == "--store") {
      arguments.store = value;
    } else if (option == "--acks") {
      arguments.acks = value;
    } else if (option == "--reference") {
      arguments.reference = value;
    } else if (option == "--fresh") {
      arguments.fresh = value;
    } else {
      throw UsageError("unknown option " + option);
    }
  }
  return arguments;
}

/// What a series of kills came to.
struct Tally {
  int kills = 0;
  int with_acknowledged = 0;  ///< kills after which something new was acknowledged
  int with_leftovers = 0;     ///< kills that left a temporary or an unlisted shard
  int64_t acknowledged = 0;
  int64_t lost = 0;
  int64_t wrong = 0;
};

void print(const char* what, const Arguments& arguments, const Tally& tally) {
  fmt::print(
      "{}: {} kills (--seed {}), {} rows acknowledged in {} of them, {} lost, {} wrong; {} kills left something to "
      "clear\n",
      what, tally.kills, arguments.seed, tally.acknowledged, tally.with_acknowledged, tally.lost, tally.wrong,
      tally.with_leftovers);
}

std::vector<int64_t> numbers_in(const std::string& lines) {
  std::istringstream text(lines.substr(0, lines.find_last_of('\n') + 1));
  std::vector<int64_t> numbers;
  for (int64_t number = 0; text >> number;) numbers.push_back(number);
  return numbers;
}

class Clock final {
 public:
  explicit Clock(const Arguments& arguments)
      : random_(arguments.seed), milliseconds_(arguments.from_ms, arguments.to_ms) {}
  /// Waits for a random time.
  void wait() { std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(milliseconds_(random_))); }

 private:
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> milliseconds_;
};

// ---- Stride's store -------------------------------------------------------------------------------------------

/// Checks the store against all that its writers acknowledged.
void check_store(const std::string& folder, const std::vector<int64_t>& acknowledged, Tally& tally) {
  if (!file_exists(manifest_path(folder))) {
    tally.lost += static_cast<int64_t>(acknowledged.size());
    return;
  }
  const TrajectoryStore store(folder);
  for (const int64_t seed : acknowledged) {
    try {
      (void)store.rows_of({seed});
    } catch (const InputError&) {
      ++tally.lost;
    }
  }
  if (!testing::is_content_of(store.all(), store.seeds(), config())) ++tally.wrong;
}

void kill_store_writers(const std::string& folder, int kills, Clock& clock, Tally& tally) {
  std::vector<int64_t> acknowledged;
  for (int i = 0; i < kills; ++i, ++tally.kills) {
    Child child([&](int pipe) { write_store(folder, pipe); });
    clock.wait();
    child.kill();
    (void)child.wait();
    const std::vector<int64_t> fresh = numbers_in(child.output());
    acknowledged.insert(acknowledged.end(), fresh.begin(), fresh.end());
    tally.acknowledged += static_cast<int64_t>(fresh.size());
    tally.with_acknowledged += fresh.empty() ? 0 : 1;
    std::sort(acknowledged.begin(), acknowledged.end());
    check_store(folder, acknowledged, tally);
    if (file_exists(manifest_path(folder)) && !verify_store(folder).notes.empty()) ++tally.with_leftovers;
  }
  const TrajectoryWriter next(folder, config());
  if (!verify_store(folder).notes.empty()) throw InputError("the next writer did not clear what a killed one left");
  check_store(folder, acknowledged, tally);
}

int kill_stores(const Arguments& arguments) {
  constexpr int kKillsAStore = 25;  // checking a store takes longer the larger it is
  Tally tally;
  Clock clock(arguments);
  while (tally.kills < arguments.kills) {
    const testing::TemporaryFolder folder;
    kill_store_writers(folder / "store", std::min(kKillsAStore, arguments.kills - tally.kills), clock, tally);
  }
  print("trajectory store", arguments, tally);
  if (tally.lost + tally.wrong > 0) return 1;
  if (tally.with_acknowledged < tally.kills / 6 || tally.with_leftovers < tally.kills / 20) {
    fmt::print("too few kills hit a writer at work: choose other --milliseconds\n");
    return 1;
  }
  return 0;
}

// ---- The control ----------------------------------------------------------------------------------------------

void check_in_place(const std::string& path, const std::vector<int64_t>& acknowledged, Tally& tally) {
  try {
    const at::Tensor found = hdf5::read_foreign_dataset(path, "x");
    for (const int64_t seed : acknowledged) {
      if (seed >= found.size(0)) {
        ++tally.lost;
      } else if (!at::equal(found[seed], testing::values_of({seed}, {kInPlaceColumns}, 0)[0])) {
        ++tally.wrong;
      }
    }
  } catch (const InputError&) {
    tally.lost += static_cast<int64_t>(acknowledged.size());
  }
}

int kill_in_place(const Arguments& arguments) {
  Tally tally;
  Clock clock(arguments);
  const testing::TemporaryFolder folder;
  for (; tally.kills < arguments.kills; ++tally.kills) {
    const std::string path = folder / fmt::format("{}.h5", tally.kills);
    Child child([&](int pipe) { write_in_place(path, pipe); });
    clock.wait();
    child.kill();
    (void)child.wait();
    const std::vector<int64_t> acknowledged = numbers_in(child.output());
    tally.acknowledged += static_cast<int64_t>(acknowledged.size());
    tally.with_acknowledged += acknowledged.empty() ? 0 : 1;
    if (!acknowledged.empty()) check_in_place(path, acknowledged, tally);
  }
  print("control, in place without flush", arguments, tally);
  if (tally.lost + tally.wrong > 0) return 0;
  fmt::print("the control lost nothing: this harness cannot see a loss\n");
  return 1;
}

// ---- A real command -------------------------------------------------------------------------------------------

/// A checksum of each trajectory by seed.
std::map<int64_t, std::string> rows_by_seed(const std::string& folder) {
  const TrajectoryStore store(folder);
  std::map<int64_t, std::string> rows;
  const auto bytes = [](const at::Tensor& tensor) {
    const at::Tensor whole = tensor.contiguous();
    return std::string(static_cast<const char*>(whole.const_data_ptr()), whole.nbytes());
  };
  for (int64_t row = 0; row < store.size(); ++row) {
    const TrajectoryBatch one = store.batch({row}, store.config().dtype);
    rows[store.seeds()[static_cast<std::size_t>(row)]] =
        xxh3_128(bytes(one.x) + bytes(one.denoised) + bytes(one.nfe) + bytes(one.sigma) + bytes(one.status));
  }
  return rows;
}

/// The last "total" in a file of JSON lines: so many trajectories were said to be durable.
int64_t acknowledged_in(const std::string& path) {
  if (path.empty() || !file_exists(path)) return 0;
  const std::string text = read_file(path);
  const std::string whole = text.substr(0, text.find_last_of('\n') + 1);
  const std::size_t at = whole.rfind("\"total\":");
  return at == std::string::npos ? 0 : std::stoll(whole.substr(at + 8));
}

/// `before`, rows that were durable before, against what is there now; returns the latter.
std::map<int64_t, std::string> check_command(const Arguments& arguments, const std::map<int64_t, std::string>& before,
                                             Tally& tally) {
  std::map<int64_t, std::string> now;
  if (file_exists(manifest_path(arguments.store))) {
    now = rows_by_seed(arguments.store);
    if (!verify_store(arguments.store).notes.empty()) ++tally.with_leftovers;
  }
  for (const auto& [seed, row] : before) {
    if (!now.contains(seed)) {
      ++tally.lost;
    } else if (now.at(seed) != row) {
      ++tally.wrong;
    }
  }
  const int64_t missing = acknowledged_in(arguments.acks) - static_cast<int64_t>(now.size());
  if (missing > 0) tally.lost += missing;
  tally.with_acknowledged += now.size() > before.size() ? 1 : 0;
  tally.acknowledged = static_cast<int64_t>(now.size());
  return now;
}

void require_reference(const Arguments& arguments, const std::map<int64_t, std::string>& rows) {
  if (!verify_store(arguments.store).notes.empty())
    throw InputError("the last run did not clear what a killed one left");
  if (!arguments.reference.empty() && rows != rows_by_seed(arguments.reference))
    throw InputError("the trajectories differ from those of an undisturbed run");
}

int kill_command(const Arguments& arguments) {
  if (arguments.command.empty() || arguments.store.empty()) throw UsageError("command needs --store DIR and -- CMD…");
  Tally tally;
  Clock clock(arguments);
  std::map<int64_t, std::string> rows;
  int ended = 0;
  for (; tally.kills < arguments.kills; ++tally.kills) {
    Child child(arguments.command);
    clock.wait();
    const bool whole = child.ended();
    child.kill();
    const bool succeeded = child.wait();
    rows = check_command(arguments, rows, tally);
    if (!whole) continue;
    ++ended;
    if (!succeeded) throw InputError("the command failed between the kills");
    if (arguments.fresh.empty()) continue;
    require_reference(arguments, rows);
    std::filesystem::remove_all(arguments.fresh);
    rows.clear();
  }
  print("command", arguments, tally);
  Child last(arguments.command);
  if (!last.wait()) throw InputError("the command failed after the kills");
  const int64_t interrupted = static_cast<int64_t>(rows.size());
  rows = check_command(arguments, rows, tally);
  fmt::print("then to the end: {} rows, {} of them from interrupted runs; {} runs ended before their kill\n",
             rows.size(), interrupted, ended);
  if (2 * ended > tally.kills) {
    throw UsageError("more than half of the runs ended before their kill: give them more to do, or less time");
  }
  require_reference(arguments, rows);
  return tally.lost + tally.wrong > 0 ? 1 : 0;
}

int run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  at::set_num_threads(1);  // forking is for processes without threads
  if (arguments.mode == "store") return kill_stores(arguments);
  if (arguments.mode == "in-place") return kill_in_place(arguments);
  if (arguments.mode == "command") return kill_command(arguments);
  throw UsageError("name what to kill: store, in-place or command (see kill_harness.cpp)");
}

}  // namespace
}  // namespace stride::kill

int main(int argc, char** argv) {
  try {
    return stride::kill::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "kill_harness: {}\n", error.what());
    return 1;
  }
}
