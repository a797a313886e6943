# cmake --install: the command, the libraries Stride::framework … Stride::apps and Stride::stride, headers under
# include/stride, and a package that find_package(Stride) finds.
include(CMakePackageConfigHelpers)

set(stride_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Stride)
set(installed stride_stride)
foreach(folder IN LISTS STRIDE_FOLDERS)
  list(APPEND installed stride_${folder})
endforeach()
if(TARGET stride_ceres)
  list(APPEND installed stride_ceres)
endif()
install(TARGETS ${installed} EXPORT StrideTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(folder IN LISTS STRIDE_FOLDERS)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/stride
          FILES_MATCHING PATTERN "*.h")
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/evaluation/stride.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/stride)
if(TARGET stride)
  set_target_properties(stride PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS stride RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  # What shells and man read, said by the program itself.
  file(STRINGS ${PROJECT_SOURCE_DIR}/apps/commands/commands.def stride_commands REGEX "^STRIDE_COMMAND")
  list(TRANSFORM stride_commands REPLACE "^STRIDE_COMMAND.(.+).$" "\\1")
  list(TRANSFORM stride_commands REPLACE "_" "-")
  install(CODE "set(STRIDE_PROGRAM \"$<TARGET_FILE:stride>\")\nset(STRIDE_COMMANDS \"${stride_commands}\")")
  install(SCRIPT ${PROJECT_SOURCE_DIR}/cmake/StrideInstallShell.cmake)
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/stride)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT StrideTargets NAMESPACE Stride:: DESTINATION ${stride_package_folder})
# Where this build found them: full paths are in its targets anyway.
set(STRIDE_TORCH_PREFIX "${TORCH_INSTALL_PREFIX}")
set(STRIDE_CUDA_ROOT "${CUDA_TOOLKIT_ROOT_DIR}")
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/StrideConfig.cmake.in
  ${PROJECT_BINARY_DIR}/StrideConfig.cmake INSTALL_DESTINATION ${stride_package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/StrideConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/StrideConfig.cmake ${PROJECT_BINARY_DIR}/StrideConfigVersion.cmake
        DESTINATION ${stride_package_folder})
