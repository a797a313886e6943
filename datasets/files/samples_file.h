// `samples.h5`, and datasets of unit normals from anywhere.
#pragma once

#include "datasets/files/mapped_file.h"
#include "framework/files/file_system.h"
#include "framework/tensor.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stride {

/// Finished samples, `[N]` each.
struct Samples {
  Tensor x;            ///< `[N, …]` in data scale; bfloat16 is stored as float32
  Tensor seed;         ///< int64
  Tensor nfe;          ///< int32
  Tensor model_evals;  ///< int32
  Tensor status;       ///< int8: 0 ok, 1 max steps, 2 step underflow, 3 non-finite, 4 not converged
  Tensor sigmas;       ///< float64 `[steps + 1]` with the final value; undefined without a fixed grid
  std::map<std::string, std::string> attributes;  ///< solver, schedule, final, policy, dtype, model_sha256
};

/// What is known of a file of samples before the first of them.
struct SamplesHead {
  int64_t rows = 0;            ///< at most
  std::vector<int64_t> shape;  ///< of one sample
  at::ScalarType dtype = at::kFloat;
  Tensor sigmas;
  std::map<std::string, std::string> attributes;
};

/// Writes a file of samples rows by rows, in the memory of those rows and 17 bytes for each before them. The file is
/// HDF5 with a line behind its end that holds its checksum; nobody sees it before it is whole. The same rows give the
/// same bytes, in however many pieces they come.
class SamplesWriter final {
 public:
  /// Throws, as every member does, as write_file_atomic.
  SamplesWriter(std::string path, SamplesHead head, FileSystem& files = posix_file_system());
  ~SamplesWriter();
  SamplesWriter(const SamplesWriter&) = delete;
  SamplesWriter& operator=(const SamplesWriter&) = delete;

  /// Rows of all members but sigmas and attributes. Throws UsageError when they disagree about how many, or with the
  /// head. After an error of the disk no more rows are taken; finish() gives those before.
  void append(const Samples& rows);
  /// The file, with the rows that came. The writer is used up. Where there are fewer than were announced they are
  /// written anew: on a full disk by way of memory, in the place of what is there.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes them all with a SamplesWriter. Throws UsageError when the members disagree about N.
void write_samples(const std::string& path, const Samples& samples, FileSystem& files = posix_file_system());

/// Reads a file of write_samples after verifying its checksum. Throws InputError on anything else.
[[nodiscard]] Samples read_samples(const std::string& path, FileSystem& files = posix_file_system());

/// The same without a copy: the members lie in the mapped file and live as long as this. Not to be written to.
class MappedSamples final {
 public:
  explicit MappedSamples(const std::string& path);
  [[nodiscard]] const Samples& get() const { return samples_; }

 private:
  MappedFile file_;
  Samples samples_;
};

/// Reads the dataset `name` of an HDF5 file: `x` of start noise, `eps` of a run's draws. Stride's own files are
/// verified; others are read in a child process, so that a damaged one is an error and not a crash. Throws InputError.
[[nodiscard]] Tensor read_dataset(const std::string& path, const std::string& name);

}  // namespace stride
