# What a wheel holds, as the install component `wheel`, whose root is the folder that torch/ and nvidia/ are in too: the
# package stride/ with the extension, the command and, for both, one library, of the objects that the build has anyway;
# and the models that are not in the library. scripts/wheel and pyproject.toml pack it (python/wheel/).
if(NOT TARGET stride_python OR NOT TARGET stride)
  return()
endif()
set(STRIDE_WHEEL_PYTHON "" CACHE FILEPATH "The CPython that the wheel's extension is for; empty: the build's")

set(stride_objects $<TARGET_OBJECTS:stride_ceres>)
foreach(folder IN LISTS STRIDE_FOLDERS)
  if(NOT folder STREQUAL "apps")
    list(APPEND stride_objects $<TARGET_OBJECTS:stride_${folder}>)
  endif()
endforeach()
add_library(stride_shared SHARED EXCLUDE_FROM_ALL ${stride_objects})
# For what the libraries are linked to; their own archives have nothing left to give.
target_link_libraries(stride_shared PRIVATE stride_evaluation)
# Its functions are its own, also where torch exports one of the same name.
target_link_options(stride_shared PRIVATE -Wl,-Bsymbolic-functions -Wl,--no-undefined)
set_target_properties(stride_shared PROPERTIES OUTPUT_NAME stride)

add_executable(stride_command EXCLUDE_FROM_ALL $<TARGET_OBJECTS:stride> $<TARGET_OBJECTS:stride_apps>)
target_link_options(stride_command PRIVATE ${STRIDE_TORCH_FIRST})
target_link_libraries(stride_command PRIVATE stride_shared Boost::program_options ${TORCH_LIBRARIES})
set_target_properties(stride_command PROPERTIES OUTPUT_NAME stride)

set(stride_extension $<TARGET_OBJECTS:stride_python>)
set(stride_suffix .${Python3_SOABI}.so)
if(STRIDE_WHEEL_PYTHON AND NOT EXISTS "${STRIDE_WHEEL_PYTHON}")
  message(STATUS "Stride: ${STRIDE_WHEEL_PYTHON} is gone; the wheel's extension is for the build's Python")
elseif(STRIDE_WHEEL_PYTHON)
  # Torch's headers are the same for each CPython, and so are the names in its libtorch_python: the extension alone is
  # compiled again.
  execute_process(COMMAND ${STRIDE_WHEEL_PYTHON} -c
      "import sysconfig; print(sysconfig.get_path('include'), sysconfig.get_config_var('EXT_SUFFIX'), sep=';', end='')"
    OUTPUT_VARIABLE stride_told COMMAND_ERROR_IS_FATAL ANY)
  list(GET stride_told 0 stride_headers)
  list(GET stride_told 1 stride_suffix)
  get_target_property(stride_bindings stride_python SOURCES)
  add_library(stride_python_objects OBJECT EXCLUDE_FROM_ALL ${stride_bindings})
  target_include_directories(stride_python_objects SYSTEM PRIVATE ${stride_headers})
  target_link_libraries(stride_python_objects PRIVATE stride_evaluation stride_flags)
  target_compile_definitions(stride_python_objects PRIVATE $<TARGET_PROPERTY:stride_python,COMPILE_DEFINITIONS>)
  target_compile_options(stride_python_objects PRIVATE $<TARGET_PROPERTY:stride_python,COMPILE_OPTIONS>)
  target_precompile_headers(stride_python_objects PRIVATE ${PROJECT_SOURCE_DIR}/python/bindings/pch.h)
  set_target_properties(stride_python_objects PROPERTIES CXX_VISIBILITY_PRESET hidden)
  set(stride_extension $<TARGET_OBJECTS:stride_python_objects>)
endif()
add_library(stride_extension MODULE EXCLUDE_FROM_ALL ${stride_extension})
target_link_options(stride_extension PRIVATE ${STRIDE_TORCH_FIRST} $<TARGET_PROPERTY:stride_python,LINK_OPTIONS>)
target_link_libraries(stride_extension PRIVATE stride_shared ${TORCH_LIBRARIES} ${STRIDE_TORCH_PYTHON})
set_target_properties(stride_extension PROPERTIES OUTPUT_NAME _stride PREFIX "" SUFFIX "${stride_suffix}")

# wheel_part(TARGET PATHS…): built into one folder, found from where it is installed.
function(stride_wheel_part target)
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX INSTALL_RPATH "${ARGN}" INSTALL_RPATH_USE_LINK_PATH OFF
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/wheel LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/wheel)
  # As torch's own libraries have it: what a caller's LD_LIBRARY_PATH names comes later.
  target_link_options(${target} PRIVATE -Wl,--disable-new-dtags)
endfunction()
stride_wheel_part(stride_shared $ORIGIN/../../torch/lib $ORIGIN/../../nvidia/cu13/lib)
stride_wheel_part(stride_command $ORIGIN/../lib $ORIGIN/../../torch/lib $ORIGIN/../../nvidia/cu13/lib)
stride_wheel_part(stride_extension $ORIGIN/lib $ORIGIN/../torch/lib $ORIGIN/../nvidia/cu13/lib)
add_custom_target(stride_wheel DEPENDS stride_shared stride_command stride_extension)

install(TARGETS stride_shared LIBRARY DESTINATION stride/lib COMPONENT wheel EXCLUDE_FROM_ALL)
install(TARGETS stride_command RUNTIME DESTINATION stride/bin COMPONENT wheel EXCLUDE_FROM_ALL)
install(TARGETS stride_extension LIBRARY DESTINATION stride COMPONENT wheel EXCLUDE_FROM_ALL)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/python/stride DESTINATION . COMPONENT wheel EXCLUDE_FROM_ALL PATTERN __pycache__ EXCLUDE)
get_property(stride_models GLOBAL PROPERTY STRIDE_MODELS_BESIDE)
install(DIRECTORY ${stride_models} DESTINATION stride/share/stride/models COMPONENT wheel EXCLUDE_FROM_ALL)
