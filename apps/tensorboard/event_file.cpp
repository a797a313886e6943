#include "apps/tensorboard/event_file.h"

#include "apps/tensorboard/event_encoding.h"
#include "apps/tensorboard/event_histogram.h"
#include "framework/error.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <span>

namespace stride {
namespace {

// Field numbers of event.proto and summary.proto.
namespace event {
constexpr unsigned kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}
namespace session_log {
constexpr unsigned kStatus = 1;
constexpr int64_t kStart = 1;
}  // namespace session_log
namespace summary {
constexpr unsigned kValue = 1;
}
namespace summary_value {
constexpr unsigned kTag = 1, kSimpleValue = 2, kImage = 4, kHistogram = 5;
}
namespace image_field {
constexpr unsigned kHeight = 1, kWidth = 2, kColourspace = 3, kEncoded = 4;
}
namespace histogram_field {
constexpr unsigned kMin = 1, kMax = 2, kCount = 3, kSum = 4, kSumOfSquares = 5, kLimits = 6, kCounts = 7;
}

constexpr std::string_view kPrefix = "events.out.tfevents.";
constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// As a part of a file name.
std::string host_name() {
  char text[256] = {};
  if (::gethostname(text, sizeof text - 1) != 0 || text[0] == '\0') return "localhost";
  std::string name = text;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '-' && c != '_'; }, '_');
  return name;
}

// The seconds in the name of an event file; 0 for other files.
int64_t time_in(const std::string& name) {
  int64_t time = 0;
  if (name.starts_with(kPrefix)) std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), time);
  return time;
}

// An event file that is new and, by its name, the last of the folder: TensorBoard reads in the order of the names, and
// a run may be resumed within a second, or after the clock was set back.
std::string new_file(const std::string& folder, FileSystem& files) {
  int64_t time = static_cast<int64_t>(seconds_now());
  for (const std::string& name : list_folder(folder, files)) time = std::max(time, time_in(name) + 1);
  while (true) {
    std::string path = fmt::format("{}/{}{:010}.{}.{}", folder, kPrefix, time, host_name(), ::getpid());
    const int descriptor = files.open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (descriptor >= 0) (void)files.close(descriptor);
    // Whatever else is wrong, AppendFile meets it again and says so.
    if (descriptor != -EEXIST) return path;
    ++time;
  }
}

ProtoMessage event_at(int64_t step) {
  ProtoMessage message;
  message.number(event::kWallTime, seconds_now()).integer(event::kStep, step);
  return message;
}

}  // namespace

EventFile::EventFile(std::string folder, FileSystem& files) : folder_(std::move(folder)), files_(files) {
  make_folders(folder_, files_);
  open();
}

void EventFile::open() {
  path_ = new_file(folder_, files_);
  file_.emplace(path_, files_);
  has_session_ = false;
  append(framed_record(event_at(0).text(event::kFileVersion, "brain.Event:2").bytes()));
}

void EventFile::append(const std::string& bytes) {
  try {
    file_->append(bytes);
  } catch (const Error&) {
    // What follows half a record is lost to every reader.
    file_.reset();
    throw;
  }
}

void EventFile::write(int64_t step, const ProtoMessage& value) {
  if (!file_) open();
  std::string bytes;
  if (!has_session_) {
    const ProtoMessage start = ProtoMessage().integer(session_log::kStatus, session_log::kStart);
    bytes = framed_record(event_at(step).message(event::kSessionLog, start).bytes());
  }
  const ProtoMessage values = ProtoMessage().message(summary::kValue, value);
  append(bytes + framed_record(event_at(step).message(event::kSummary, values).bytes()));
  has_session_ = true;
}

void EventFile::scalar(const std::string& tag, int64_t step, double value) {
  write(step,
        ProtoMessage().text(summary_value::kTag, tag).single(summary_value::kSimpleValue, static_cast<float>(value)));
}

void EventFile::write(const std::string& tag, int64_t step, const EventHistogram& histogram) {
  ProtoMessage message;
  message.number(histogram_field::kMin, histogram.min)
      .number(histogram_field::kMax, histogram.max)
      .number(histogram_field::kCount, histogram.count)
      .number(histogram_field::kSum, histogram.sum)
      .number(histogram_field::kSumOfSquares, histogram.sum_of_squares)
      .numbers(histogram_field::kLimits, histogram.limits)
      .numbers(histogram_field::kCounts, histogram.counts);
  write(step, ProtoMessage().text(summary_value::kTag, tag).message(summary_value::kHistogram, message));
}

void EventFile::histogram(const std::string& tag, int64_t step, const std::vector<double>& values,
                          const std::vector<double>& limits) {
  write(tag, step, count_buckets(values, limits));
}

void EventFile::histogram(const std::string& tag, int64_t step, const at::Tensor& values,
                          const std::vector<double>& limits) {
  const at::Tensor flat = values.detach().to(at::kCPU, at::kDouble).contiguous();
  const std::span<const double> numbers(flat.const_data_ptr<double>(), static_cast<std::size_t>(flat.numel()));
  write(tag, step, count_buckets(numbers, limits));
}

void EventFile::image(const std::string& tag, int64_t step, std::string_view png, int64_t height, int64_t width,
                      int64_t channels) {
  if (!png.starts_with(kPngSignature))
    throw UsageError(fmt::format("image {}: {} bytes that are no PNG file; encode the pixels first", tag, png.size()));
  if (height < 1 || width < 1 || channels < 1 || channels > 4)
    throw UsageError(fmt::format("image {}: {} × {} pixels of {} channels; 1 to 4 channels and at least one pixel", tag,
                                 height, width, channels));
  ProtoMessage message;
  message.integer(image_field::kHeight, height)
      .integer(image_field::kWidth, width)
      .integer(image_field::kColourspace, channels)
      .text(image_field::kEncoded, png);
  write(step, ProtoMessage().text(summary_value::kTag, tag).message(summary_value::kImage, message));
}

void EventFile::flush() {
  if (file_) file_->sync();
}

}  // namespace stride
