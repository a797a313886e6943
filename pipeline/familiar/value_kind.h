// What a setting's value is.
#pragma once

namespace stride {

enum class ValueKind { flag, text, integer, number };

}  // namespace stride
