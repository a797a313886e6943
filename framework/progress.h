// How long work tells its caller where it stands, and hears that it should stop.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace stride {

/// Called at every unit of work (a step, an iteration, a shard). Returns false to ask the work to stop at
/// its next safe place with what it has. An empty function means: nobody looks, never stop.
using ProgressFn = std::function<bool(int64_t done, int64_t total, const std::string& note)>;

}  // namespace stride
