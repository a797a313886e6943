#include "datasets/files/samples_file.h"

#include "datasets/files/checksum_line.h"
#include "datasets/files/hdf5.h"
#include "datasets/files/hdf5_skeleton.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/shapes.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace stride {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;

/// What there is of every sample, beside x.
struct Column {
  const char* name;
  Tensor Samples::*values;
  at::ScalarType dtype;
};
constexpr std::array<Column, 4> kColumns = {{{"seed", &Samples::seed, at::kLong},
                                             {"nfe", &Samples::nfe, at::kInt},
                                             {"model_evals", &Samples::model_evals, at::kInt},
                                             {"status", &Samples::status, at::kChar}}};

std::string_view bytes_of(const Tensor& values) {
  return {static_cast<const char*>(values.const_data_ptr()), values.nbytes()};
}

/// Values where they lie; nobody writes to them.
Tensor in_place(const char* bytes, at::ScalarType type, at::IntArrayRef shape) {
  return at::from_blob(const_cast<char*>(bytes), shape, at::TensorOptions().dtype(type));
}

/// The column as the file has it, checked.
Tensor checked(const Column& column, const Tensor& values, int64_t n) {
  if (!values.defined() || values.dim() != 1 || values.size(0) != n ||
      !at::isIntegralType(values.scalar_type(), false)) {
    throw UsageError(fmt::format("cannot write samples: {} is not a list of {} whole numbers", column.name, n));
  }
  return values.to(at::kCPU).to(column.dtype).contiguous();
}

hdf5::FilePlan plan_of(const SamplesHead& head) {
  hdf5::Skeleton skeleton;
  for (const auto& [name, text] : head.attributes) skeleton.attribute(name, text);
  skeleton.dataset("x", head.dtype, prepend({head.rows}, head.shape));  // first: its rows can be written as they come
  for (const Column& column : kColumns) skeleton.dataset(column.name, column.dtype, {head.rows});
  if (head.sigmas.defined()) skeleton.dataset("sigmas", at::kDouble, head.sigmas.sizes());
  return skeleton.finish();
}

/// What a reader of the file gives for every dataset.
template <typename Read>
Samples assemble(const hdf5::ImageReader& image, const std::string& path, const Read& read) {
  Samples samples;
  samples.x = read("x");
  if (samples.x.dim() < 1) throw InputError(fmt::format("{}: \"x\" is a single number", path));
  for (const Column& column : kColumns) {
    const Tensor values = read(column.name);
    if (values.scalar_type() != column.dtype || values.dim() != 1 || values.size(0) != samples.x.size(0))
      throw InputError(fmt::format("{}: \"{}\" does not fit the samples", path, column.name));
    samples.*column.values = values;
  }
  if (image.has("sigmas")) samples.sigmas = read("sigmas");
  for (const std::string& name : image.attribute_names()) samples.attributes[name] = image.attribute(name).value_or("");
  return samples;
}

}  // namespace

struct SamplesWriter::Impl {
  std::string path;
  SamplesHead head;
  FileSystem& files;
  hdf5::FilePlan plan;
  AtomicFile file;
  Xxh3Hash hash;
  int64_t rows = 0;                                  ///< that were written
  bool torn = false;                                 ///< behind them lies a part of others
  std::array<std::string, kColumns.size()> columns;  ///< of them

  Impl(std::string where, SamplesHead what, FileSystem& system)
      : path(std::move(where)), head(std::move(what)), files(system), plan(plan_of(head)), file(path, files) {
    if (!plan.parts.empty() && plan.parts[0].dataset == 0) write(plan.parts[0].before);
  }

  void write(std::string_view bytes) {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kPiece))) {
      file.write(bytes.substr(0, kPiece));
      hash.add(bytes.substr(0, kPiece));
    }
  }

  /// The samples as far as they came.
  [[nodiscard]] Samples so_far(const Tensor& x) const {
    Samples out;
    out.x = x;
    for (std::size_t i = 0; i < kColumns.size(); ++i)
      out.*kColumns[i].values = in_place(columns[i].data(), kColumns[i].dtype, {rows});
    return out;
  }

  /// Where values lie depends on how many there are.
  void write_fewer() {
    head.rows = rows;
    const auto write_all = [&](const Tensor& x) {
      SamplesWriter fewer(path, head, files);
      fewer.append(so_far(x));
      fewer.finish();
    };
    Tensor kept;
    {
      const MappedFile temporary(file.temporary());
      const std::size_t offset = plan.parts.empty() ? 0 : plan.parts[0].before.size();
      const Tensor x = in_place(temporary.bytes().data() + offset, head.dtype, prepend({rows}, head.shape));
      try {
        return write_all(x);
      } catch (const ResourceError&) {
        kept = x.clone();
      }
    }
    file.discard();  // a full disk has room for the rows once they are gone from it
    write_all(kept);
  }
};

SamplesWriter::SamplesWriter(std::string path, SamplesHead head, FileSystem& files)
    : impl_(std::make_unique<Impl>(std::move(path), std::move(head), files)) {}

SamplesWriter::~SamplesWriter() = default;

void SamplesWriter::append(const Samples& rows) {
  const SamplesHead& head = impl_->head;
  const int64_t n = rows.x.size(0);
  if (impl_->torn) throw UsageError("cannot write samples behind others that could not be written");
  if (rows.x.sizes().slice(1) != at::IntArrayRef(head.shape) || impl_->rows + n > head.rows) {
    throw UsageError(fmt::format("cannot write samples [{}] behind {} others: the file is made for {} of [{}]",
                                 fmt::join(rows.x.sizes(), ", "), impl_->rows, head.rows, fmt::join(head.shape, ", ")));
  }
  std::array<Tensor, kColumns.size()> columns;
  for (std::size_t i = 0; i < kColumns.size(); ++i) columns[i] = checked(kColumns[i], rows.*kColumns[i].values, n);
  const Tensor x = rows.x.to(at::kCPU).to(head.dtype).contiguous();
  impl_->torn = true;
  impl_->write(bytes_of(x));
  for (std::size_t i = 0; i < kColumns.size(); ++i) impl_->columns[i] += bytes_of(columns[i]);
  impl_->rows += n;
  impl_->torn = false;
}

void SamplesWriter::finish() {
  const std::unique_ptr<Impl> used = std::move(impl_);
  Impl& one = *used;
  if (one.torn || one.rows < one.head.rows) return one.write_fewer();
  for (const hdf5::FilePlan::Part& part : one.plan.parts) {
    if (part.dataset == 0) continue;  // x is there
    one.write(part.before);
    if (part.dataset <= kColumns.size()) {
      one.write(one.columns[part.dataset - 1]);
    } else {
      one.write(bytes_of(one.head.sigmas.to(at::kCPU, at::kDouble).contiguous()));
    }
  }
  one.write(one.plan.end);
  one.file.write(checksum_line(one.hash));
  one.file.commit();
}

void write_samples(const std::string& path, const Samples& samples, FileSystem& files) {
  if (!samples.x.defined() || samples.x.dim() < 1) throw UsageError("cannot write samples: there are none");
  const at::ScalarType type = samples.x.scalar_type();
  SamplesWriter writer(path,
                       {samples.x.size(0), samples.x.sizes().slice(1).vec(), type == at::kBFloat16 ? at::kFloat : type,
                        samples.sigmas, samples.attributes},
                       files);
  writer.append(samples);
  writer.finish();
}

Samples read_samples(const std::string& path, FileSystem& files) {
  const std::string bytes = read_file(path, files);
  const hdf5::ImageReader image(verify_checksum_line(bytes, path), path);
  return assemble(image, path, [&](const char* name) { return image.read(name); });
}

MappedSamples::MappedSamples(const std::string& path) : file_(path) {
  const hdf5::ImageReader image(verify_checksum_line(file_.bytes(), path), path);
  samples_ = assemble(image, path, [&](const char* name) {
    const hdf5::DatasetInfo info = image.info(name);
    return info.offset ? in_place(file_.bytes().data() + *info.offset, info.type, info.shape) : image.read(name);
  });
}

Tensor read_dataset(const std::string& path, const std::string& name) {
  const std::string bytes = read_file(path);
  if (!has_checksum_line(bytes)) return hdf5::read_foreign_dataset(path, name);
  return hdf5::ImageReader(verify_checksum_line(bytes, path), path).read(name);
}

}  // namespace stride
