// float32 that is float32.
#pragma once

#include <ATen/Context.h>

namespace stride {

/// No TF32 in matrix products and convolutions while this lives: for what judges, and for tests.
class FullFloat32 final {
 public:
  FullFloat32() : cublas_(context().allowTF32CuBLAS()), cudnn_(context().allowTF32CuDNN()) { set(false, false); }
  ~FullFloat32() { set(cublas_, cudnn_); }
  FullFloat32(const FullFloat32&) = delete;
  FullFloat32& operator=(const FullFloat32&) = delete;

 private:
  static at::Context& context() { return at::globalContext(); }
  static void set(bool cublas, bool cudnn) {
    context().setAllowTF32CuBLAS(cublas);
    context().setAllowTF32CuDNN(cudnn);
  }
  bool cublas_, cudnn_;
};

}  // namespace stride
