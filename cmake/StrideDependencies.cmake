# Torch is found and named first; that it is also linked first is StrideTargets.cmake's to see to.
if(NOT CMAKE_MESSAGE_LOG_LEVEL)
  set(CMAKE_MESSAGE_LOG_LEVEL ERROR) # its warnings (no kineto, its own variable ignored) are none of ours
  set(stride_quiet ON)
endif()
find_package(Torch REQUIRED)
if(stride_quiet)
  unset(CMAKE_MESSAGE_LOG_LEVEL)
endif()
enable_language(CUDA)

find_package(Ceres REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PNG REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter) # for the tests' checks and oracles
find_path(STRIDE_TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)
find_path(STRIDE_RANDOM123_INCLUDE Random123/philox.h REQUIRED)
find_path(STRIDE_XXHASH_INCLUDE xxhash.h REQUIRED)
# Not libzip's own CMake package: Debian's names programs that the library's package does not bring.
find_path(STRIDE_LIBZIP_INCLUDE zip.h REQUIRED)
find_library(STRIDE_LIBZIP zip REQUIRED)
message(STATUS "Stride: torch ${Torch_VERSION}, CUDA ${CUDA_VERSION} (${CMAKE_CUDA_COMPILER}), for ${TORCH_CUDA_ARCH_LIST}")
