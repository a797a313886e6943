// What TensorBoard draws, written as it happens.
#pragma once

#include "framework/files/file.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stride {

class ProtoMessage;
struct EventHistogram;

/// One of TensorBoard's event files, `FOLDER/events.out.tfevents.<seconds>.<host>.<pid>`; a folder of them is a run.
/// Each call writes its record with one write, so a kill leaves at most a cut last record, which TensorBoard skips.
///
/// A file made beside earlier ones sorts after them and continues them: from the step of its first record on,
/// TensorBoard forgets what they say (a resumed run repeats the steps since its checkpoint). Steps of one folder
/// should therefore count one thing, and ascend. `tag` is UTF-8; a slash in it makes groups.
///
/// A write that fails ends the file, and the next one starts another, so that a caller may go on after a full disk.
/// All of them throw ResourceError when disk, quota or file size limit is met.
class EventFile final {
 public:
  /// Makes the folder, where it is missing, and the file. Throws UsageError when it may not, ResourceError as above.
  explicit EventFile(std::string folder, FileSystem& files = posix_file_system());
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// TensorBoard keeps float32.
  void scalar(const std::string& tag, int64_t step, double value);
  /// In TensorBoard's own buckets, or in those that `limits` (ascending upper edges) name; what is not finite is left
  /// out. Throws UsageError for limits that do not ascend.
  void histogram(const std::string& tag, int64_t step, const std::vector<double>& values,
                 const std::vector<double>& limits = {});
  /// Every element, of any shape, type and device.
  void histogram(const std::string& tag, int64_t step, const at::Tensor& values,
                 const std::vector<double>& limits = {});
  /// A PNG file's bytes; 1 channel is grey, 2 grey with alpha, 3 RGB, 4 RGBA. Throws UsageError for bytes that are no
  /// PNG and for impossible sizes.
  void image(const std::string& tag, int64_t step, std::string_view png, int64_t height, int64_t width,
             int64_t channels);
  /// Returns when everything written is on the disk.
  void flush();

  /// The file that is being written.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  void open();
  void append(const std::string& bytes);
  void write(int64_t step, const ProtoMessage& value);
  void write(const std::string& tag, int64_t step, const EventHistogram& histogram);

  std::string folder_;
  FileSystem& files_;
  std::string path_;
  std::optional<AppendFile> file_;
  bool has_session_ = false;  ///< the file says from which step on it counts
};

}  // namespace stride
