// The model card that command-line and card tests share.
#pragma once

namespace stride::testing {

/// Two points with their blur; a whole number among the means, as people write them.
inline constexpr const char* kMixtureCard = R"([model]
kind = "gaussian_mixture"
weights = [0.3, 0.7]
means = [[-1.0, 0.5], [2, 0]]
std = [0.2, 0.4]
shape = [2]
)";

}  // namespace stride::testing
