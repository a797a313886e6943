#include "datasets/store/async_writer.h"

#include "framework/error.h"

#include <fmt/format.h>

#include <utility>

namespace stride {
namespace {

std::size_t places(int64_t waiting) {
  if (waiting < 1) throw UsageError(fmt::format("a queue of {} batches; at least 1 is needed", waiting));
  return static_cast<std::size_t>(waiting);
}

}  // namespace

AsyncTrajectoryWriter::AsyncTrajectoryWriter(TrajectoryWriter& writer, int64_t waiting)
    : writer_(writer), queue_(places(waiting)), thread_([this] { run(); }) {}

AsyncTrajectoryWriter::~AsyncTrajectoryWriter() {
  queue_.abandon();
  if (thread_.joinable()) thread_.join();
}

void AsyncTrajectoryWriter::push(const TrajectoryBatch& batch) {
  rethrow();
  if (!queue_.push(HostCopy(batch, writer_.config()))) {
    rethrow();
    throw UsageError("trajectories for a writer that is closed");
  }
}

std::vector<Durable> AsyncTrajectoryWriter::take_durable() {
  const std::lock_guard lock(mutex_);
  return std::exchange(durable_, {});
}

void AsyncTrajectoryWriter::close() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
  rethrow();
  note(writer_.seal());
}

void AsyncTrajectoryWriter::run() {
  try {
    while (std::optional<HostCopy> copy = queue_.pop()) note(writer_.append(copy->wait()));
  } catch (...) {
    {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
    }
    queue_.abandon();
  }
}

void AsyncTrajectoryWriter::note(std::vector<int64_t> seeds) {
  if (seeds.empty()) return;
  const std::lock_guard lock(mutex_);
  durable_.push_back({std::move(seeds), writer_.size()});
}

void AsyncTrajectoryWriter::rethrow() {
  const std::lock_guard lock(mutex_);
  if (error_) std::rethrow_exception(error_);
}

}  // namespace stride
