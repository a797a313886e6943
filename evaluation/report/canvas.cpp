#include "evaluation/report/canvas.h"

namespace stride {

std::vector<std::pair<double, double>> marker_corners(Marker marker) {
  switch (marker) {
    case Marker::circle:
      break;
    case Marker::square:
      return {{-0.9, -0.9}, {0.9, -0.9}, {0.9, 0.9}, {-0.9, 0.9}};
    case Marker::triangle:
      return {{0, -1.15}, {1.05, 0.8}, {-1.05, 0.8}};
    case Marker::diamond:
      return {{0, -1.25}, {1.25, 0}, {0, 1.25}, {-1.25, 0}};
    case Marker::wedge:
      return {{0, 1.15}, {1.05, -0.8}, {-1.05, -0.8}};
    case Marker::cross:
      return {{-1, -0.4}, {-0.4, -0.4}, {-0.4, -1}, {0.4, -1}, {0.4, -0.4}, {1, -0.4},
              {1, 0.4},   {0.4, 0.4},   {0.4, 1},   {-0.4, 1}, {-0.4, 0.4}, {-1, 0.4}};
  }
  return {};
}

}  // namespace stride
