#include "neural/training/random.h"

#include <ATen/CPUGeneratorImpl.h>

namespace stride {
namespace {

// The finaliser of splitmix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195).
uint64_t mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

at::Generator make_generator(uint64_t seed, uint64_t step, uint64_t purpose) {
  return at::detail::createCPUGenerator(mix(mix(mix(seed) ^ step) ^ purpose));
}

}  // namespace stride
