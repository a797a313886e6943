#include "datasets/files/hdf5.h"
#include "datasets/files/hdf5_skeleton.h"

#include <ATen/ATen.h>

namespace stride::hdf5 {

struct ImageWriter::Impl {
  Skeleton skeleton;
  std::vector<Tensor> values;
};

ImageWriter::ImageWriter() : impl_(std::make_unique<Impl>()) {}

ImageWriter::~ImageWriter() = default;

void ImageWriter::dataset(const std::string& name, const Tensor& values) {
  impl_->skeleton.dataset(name, values.scalar_type(), values.sizes());
  impl_->values.push_back(values.detach().to(at::kCPU).contiguous());
}

void ImageWriter::attribute(const std::string& name, const std::string& text) { impl_->skeleton.attribute(name, text); }

std::string ImageWriter::finish() {
  const FilePlan plan = impl_->skeleton.finish();
  std::string bytes;
  bytes.reserve(plan.size());
  for (const FilePlan::Part& part : plan.parts) {
    bytes += part.before;
    bytes.append(static_cast<const char*>(impl_->values[part.dataset].const_data_ptr()), part.size);
  }
  bytes += plan.end;
  return bytes;
}

}  // namespace stride::hdf5
