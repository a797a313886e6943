# Catch2 3 where the system has it, else the single header of version 2.
find_package(Catch2 3 QUIET)
add_library(stride_catch OBJECT ${PROJECT_SOURCE_DIR}/tests/catch_main.cpp)
if(Catch2_FOUND)
  target_link_libraries(stride_catch PUBLIC Catch2::Catch2)
else()
  find_path(STRIDE_CATCH2_INCLUDE catch2/catch.hpp REQUIRED)
  target_include_directories(stride_catch SYSTEM PUBLIC ${STRIDE_CATCH2_INCLUDE})
endif()

# Runs the rest of its command line where there is a usable GPU, else exits with 77: skipped.
add_executable(stride_with_gpu ${PROJECT_SOURCE_DIR}/tests/tools/with_gpu.cpp)
target_link_libraries(stride_with_gpu PRIVATE stride_flags ${CMAKE_DL_LIBS})

# Test programs share two cores with each other: two threads each, and none that spins while it waits.
set(STRIDE_TEST_ENVIRONMENT "OMP_NUM_THREADS=2;OMP_WAIT_POLICY=PASSIVE;STRIDE_VENV_PYTHON=${Python3_EXECUTABLE}"
    "ASAN_OPTIONS=detect_leaks=0:protect_shadow_gap=0:strict_string_checks=1:detect_stack_use_after_return=1"
    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1")

# Under sanitizers the libraries are what is looked at; tests compile in half the time without optimisation.
set(STRIDE_TEST_OPTIONS $<$<CONFIG:Sanitize>:-O0>)

# stride_test(NAME [SPLIT] [ON_DEVICE] [TIMEOUT SECONDS] links...): one test program test_NAME of tests/NAME/*.cpp and its
# ctest entries: NAME runs everything but [slow] and [cuda]; NAME.slow and NAME.cuda run those (a test that is
# both is in NAME.slow.cuda). A start of LibTorch takes a second, so one entry per test case would take longer
# than the tests; SPLIT makes an entry a source file, NAME.FILE, where a program runs long. ON_DEVICE: NAME.on_cuda
# runs the plain tests with STRIDE_TEST_DEVICE=cuda. Which tags occur
# is looked up in the sources when ctest starts: see tests/tools/suite.cmake.
function(stride_test name)
  cmake_parse_arguments(arg "SPLIT;ON_DEVICE" "TIMEOUT" "" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(test_${name} ${sources})
  target_link_libraries(test_${name} PRIVATE ${arg_UNPARSED_ARGUMENTS} stride_catch stride_flags nlohmann_json::nlohmann_json)
  target_compile_definitions(test_${name} PRIVATE STRIDE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(NOT TARGET stride_test_pch)
    add_library(stride_test_pch OBJECT ${PROJECT_SOURCE_DIR}/tests/pch.cpp)
    target_link_libraries(stride_test_pch PUBLIC stride_framework stride_catch stride_flags nlohmann_json::nlohmann_json)
    target_compile_definitions(stride_test_pch PRIVATE STRIDE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    target_precompile_headers(stride_test_pch PRIVATE ${PROJECT_SOURCE_DIR}/tests/catch_torch.h)
    target_compile_options(stride_test_pch PRIVATE ${STRIDE_TEST_OPTIONS})
  endif()
  # -fPIC as the precompiled header has it: with CMake's -fPIE for programs g++ would not take it.
  set_target_properties(test_${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(test_${name} PRIVATE -fPIC ${STRIDE_TEST_OPTIONS})
  target_precompile_headers(test_${name} REUSE_FROM stride_test_pch)
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}_suite.cmake)
  file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}_suite.cmake CONTENT
"set(suite ${name})
set(suite_program [[$<TARGET_FILE:test_${name}>]])
set(suite_sources [[${CMAKE_CURRENT_SOURCE_DIR}/${name}]])
set(suite_with_gpu [[$<TARGET_FILE:stride_with_gpu>]])
set(suite_environment [[${STRIDE_TEST_ENVIRONMENT}]])
set(suite_timeout ${arg_TIMEOUT})
set(suite_split \"${arg_SPLIT}\")
set(suite_on_device \"${arg_ON_DEVICE}\")
include([[${PROJECT_SOURCE_DIR}/tests/tools/suite.cmake]])
")
endfunction()
