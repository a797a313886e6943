// What calls of foreign networks have in common: how they fail, and what they may answer.
#pragma once

#include "framework/tensor.h"

#include <exception>
#include <string>

namespace stride {

/// The message of an error that came out of a foreign network, without the backtrace and the traceback around it.
[[nodiscard]] std::string foreign_message(const std::exception& error);

/// To be called where a network threw `error`: passes on Stride's own errors and those that say that memory ran out,
/// and turns any other into a c10::Error that begins with `where`: a run that was being captured then goes step by
/// step, as with any operation that no graph can hold. With `ran_out`, it is known that memory ran out, whatever the
/// error says, and the c10::Error is an OutOfMemoryError.
[[noreturn]] void rethrow_foreign(const std::exception& error, const std::string& where, bool ran_out = false);

/// `answer` if it is an output for `input` `[B, …]`: the same shape, or twice the channels. Throws InputError, naming
/// `where`, on any other shape.
[[nodiscard]] Tensor checked_answer(Tensor answer, const Tensor& input, const std::string& where);

}  // namespace stride
