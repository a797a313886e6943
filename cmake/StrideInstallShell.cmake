# While installing: completion for bash, zsh and fish where each looks for it, and a manual page for each command.
set(share "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share")

function(stride_say_into file)
  execute_process(COMMAND ${STRIDE_PROGRAM} completion ${ARGN} OUTPUT_VARIABLE text RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${STRIDE_PROGRAM} completion ${ARGN} failed (${code})")
  endif()
  message(STATUS "Installing: ${file}")
  file(WRITE "${file}" "${text}")
endfunction()

stride_say_into("${share}/bash-completion/completions/stride" bash)
stride_say_into("${share}/zsh/site-functions/_stride" zsh)
stride_say_into("${share}/fish/vendor_completions.d/stride.fish" fish)
stride_say_into("${share}/man/man1/stride.1" man)
foreach(command IN LISTS STRIDE_COMMANDS)
  stride_say_into("${share}/man/man1/stride-${command}.1" man ${command})
endforeach()
