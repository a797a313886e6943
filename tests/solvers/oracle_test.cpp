// The classic solvers against scalar references written from their papers in plain doubles, without a line of Stride.
// tests/parity compares every solver with the implementations that people trust; this works without them.
#include "tests/solvers/fixtures.h"

#include <cmath>
#include <functional>
#include <map>

namespace stride {
namespace {

using namespace fixtures;

using Denoise = std::function<double(double x, double sigma)>;
// x at the last level; noise(i) is the normal of step i.
using Reference =
    std::function<double(const Denoise&, const std::vector<double>&, double, const std::function<double(int)>&)>;

double euler(const Denoise& d, const std::vector<double>& s, double x, const std::function<double(int)>& /*noise*/) {
  for (std::size_t i = 0; i + 1 < s.size(); ++i) x += (s[i + 1] - s[i]) * (x - d(x, s[i])) / s[i];
  return x;
}

double heun(const Denoise& d, const std::vector<double>& s, double x, const std::function<double(int)>& /*noise*/) {
  for (std::size_t i = 0; i + 1 < s.size(); ++i) {
    const double slope = (x - d(x, s[i])) / s[i];
    const double guess = x + (s[i + 1] - s[i]) * slope;
    if (s[i + 1] == 0.0) return guess;
    x += (s[i + 1] - s[i]) * 0.5 * (slope + (guess - d(guess, s[i + 1])) / s[i + 1]);
  }
  return x;
}

// Song et al. 2021 eq. 12 in VP coordinates, translated back at the end of each step.
Reference ddim(double eta) {
  return [eta](const Denoise& d, const std::vector<double>& s, double x, const std::function<double(int)>& noise) {
    for (std::size_t i = 0; i + 1 < s.size(); ++i) {
      const double clean = d(x, s[i]);
      if (s[i + 1] == 0.0) return clean;
      const double alpha_t = 1.0 / (1.0 + s[i] * s[i]);
      const double alpha_p = 1.0 / (1.0 + s[i + 1] * s[i + 1]);
      const double eps = (x - clean) / s[i];
      const double sd = eta * std::sqrt((1.0 - alpha_p) / (1.0 - alpha_t)) * std::sqrt(1.0 - alpha_t / alpha_p);
      const double z = eta == 0.0 ? 0.0 : noise(static_cast<int>(i));
      const double vp = std::sqrt(alpha_p) * clean + std::sqrt(1.0 - alpha_p - sd * sd) * eps + sd * z;
      x = vp / std::sqrt(alpha_p);
    }
    return x;
  };
}

// Ho et al. 2020 eq. 6–7: mean and variance of the posterior q(x_{t−1} | x_t, x_0) in VP coordinates.
double ddpm(const Denoise& d, const std::vector<double>& s, double x, const std::function<double(int)>& noise) {
  for (std::size_t i = 0; i + 1 < s.size(); ++i) {
    const double clean = d(x, s[i]);
    if (s[i + 1] == 0.0) return clean;
    const double bar_t = 1.0 / (1.0 + s[i] * s[i]);
    const double bar_p = 1.0 / (1.0 + s[i + 1] * s[i + 1]);
    const double alpha = bar_t / bar_p;
    const double vp = x * std::sqrt(bar_t);
    const double mean = std::sqrt(bar_p) * (1.0 - alpha) / (1.0 - bar_t) * clean +
                        std::sqrt(alpha) * (1.0 - bar_p) / (1.0 - bar_t) * vp;
    const double variance = (1.0 - bar_p) / (1.0 - bar_t) * (1.0 - alpha);
    x = (mean + std::sqrt(variance) * noise(static_cast<int>(i))) / std::sqrt(bar_p);
  }
  return x;
}

double dpmpp_2m(const Denoise& d, const std::vector<double>& s, double x, const std::function<double(int)>& /*noise*/) {
  double last = 0.0;
  for (std::size_t i = 0; i + 1 < s.size(); ++i) {
    const double clean = d(x, s[i]);
    if (s[i + 1] == 0.0) return clean;
    const double h = std::log(s[i] / s[i + 1]);
    double mixed = clean;
    if (i > 0) {
      const double r = std::log(s[i - 1] / s[i]) / h;
      mixed = (1.0 + 0.5 / r) * clean - 0.5 / r * last;
    }
    x = s[i + 1] / s[i] * x - (std::exp(-h) - 1.0) * mixed;
    last = clean;
  }
  return x;
}

// Integrates the Lagrange polynomial through the last slopes by the exact antiderivative of each basis.
Reference lms(std::size_t order) {
  return
      [order](const Denoise& d, const std::vector<double>& s, double x, const std::function<double(int)>& /*noise*/) {
        std::vector<double> slopes;
        for (std::size_t i = 0; i + 1 < s.size(); ++i) {
          slopes.push_back((x - d(x, s[i])) / s[i]);
          const std::size_t k = std::min(order, i + 1);
          double sum = 0.0;
          for (std::size_t j = 0; j < k; ++j) {
            std::vector<double> basis{1.0};  // coefficients, lowest first, in (τ − s[i])
            for (std::size_t m = 0; m < k; ++m) {
              if (m == j) continue;
              const double root = s[i - m] - s[i];
              const double scale = 1.0 / (s[i - j] - s[i - m]);
              std::vector<double> next(basis.size() + 1, 0.0);
              for (std::size_t c = 0; c < basis.size(); ++c) {
                next[c] -= root * scale * basis[c];
                next[c + 1] += scale * basis[c];
              }
              basis = next;
            }
            double integral = 0.0;
            for (std::size_t c = 0; c < basis.size(); ++c)
              integral += basis[c] * std::pow(s[i + 1] - s[i], c + 1) / static_cast<double>(c + 1);
            sum += integral * slopes[i - j];
          }
          x += sum;
        }
        return x;
      };
}

Reference ipndm(std::size_t order) {
  return
      [order](const Denoise& d, const std::vector<double>& s, double x, const std::function<double(int)>& /*noise*/) {
        static const double table[4][4] = {{1, 0, 0, 0},
                                           {3 / 2., -1 / 2., 0, 0},
                                           {23 / 12., -16 / 12., 5 / 12., 0},
                                           {55 / 24., -59 / 24., 37 / 24., -9 / 24.}};
        std::vector<double> slopes;
        for (std::size_t i = 0; i + 1 < s.size(); ++i) {
          const double clean = d(x, s[i]);
          if (s[i + 1] == 0.0) return clean;
          slopes.push_back((x - clean) / s[i]);
          const std::size_t k = std::min(order, i + 1);
          for (std::size_t j = 0; j < k; ++j) x += (s[i + 1] - s[i]) * table[k - 1][j] * slopes[i - j];
        }
        return x;
      };
}

// The plan of fixtures.cpp, written out.
double plan(const Denoise& d, const std::vector<double>& s, double x, const std::function<double(int)>& /*noise*/) {
  const std::vector<std::vector<double>> weights{
      {1.02}, {1.4, -0.45}, {1.8, -1.2, 0.38}, {1.9, -1.3, 0.5, -0.1}, {1.85, -1.25, 0.45, -0.05}};
  const std::vector<double> scale{0.95, 1.0, 1.02, 0.98, 0.9};
  std::vector<double> slopes;
  for (std::size_t i = 0; i + 1 < s.size(); ++i) {
    const double level = s[i] * scale[i];
    slopes.push_back((x - d(x, level)) / level);
    double sum = 0.0;
    for (std::size_t j = 0; j < weights[i].size(); ++j) sum += weights[i][j] * slopes[i - j];
    x += (s[i + 1] - s[i]) * sum;
  }
  return x;
}

const std::map<std::string, Reference>& references() {
  static const std::map<std::string, Reference> table{
      {"ddim", ddim(0.0)},
      {"ddim:eta=0.5", ddim(0.5)},
      {"ddim:eta=1", ddim(1.0)},
      {"ddpm", ddpm},
      {"dpmpp_2m", dpmpp_2m},
      {"euler", euler},
      {"euler_ancestral", ddpm},
      {"heun", heun},
      {"ipndm", ipndm(4)},
      {"ipndm:order=2", ipndm(2)},
      {"lms", lms(4)},
      {"lms:order=1", lms(1)},
      {"lms:order=2", lms(2)},
      {"lms:order=3", lms(3)},
      {"plan", plan},
  };
  return table;
}

}  // namespace

TEST_CASE("oracle: classic solvers agree with an independent scalar reference to 1e-12", "[oracle]") {
  ModelInfo model;
  model.name = "scalar";
  model.shape = {1};
  const GaussianMixture mixture(model, {{0.4, 0.6}, {{-1.0}, {0.8}}, {0.3, 0.2}, {}}, device());
  const Denoise denoise = [](double x, double sigma) {
    const double mean[2] = {-1.0, 0.8};
    const double weight[2] = {0.4, 0.6};
    const double variance[2] = {0.09, 0.04};
    double top = 0.0;
    double bottom = 0.0;
    for (int k = 0; k < 2; ++k) {
      const double v = variance[k] + sigma * sigma;
      const double p = weight[k] / std::sqrt(v) * std::exp(-0.5 * (x - mean[k]) * (x - mean[k]) / v);
      top += p * (mean[k] + variance[k] / v * (x - mean[k]));
      bottom += p;
    }
    return top / bottom;
  };
  const PhiloxNoise noise;
  for (const auto& [name, reference] : references()) {
    const auto solver = solver_for(name);
    for (const bool zero : {false, true}) {
      if (name == "plan" && zero) continue;  // its grid ends at a positive level
      std::vector<double> levels{10.0, 4.0, 1.5, 0.6, 0.2, 0.05};
      if (zero) levels.push_back(0.0);
      const TimeGrid grid(levels);
      const RunState begin = start({mixture, *solver, noise, grid}, ids(3));
      const Tensor got = run({mixture, *solver, noise, grid}, ids(3)).x;
      for (int64_t b = 0; b < 3; ++b) {
        const auto normal = [&](int step) {
          const Tensor id = ids(1, b);
          return noise.normal({id, at::full_like(id, step), id, 0, {}, {}}, begin.x.narrow(0, b, 1)).item<double>();
        };
        const double want = reference(denoise, levels, begin.x[b].item<double>(), normal);
        CAPTURE(name, zero, b);
        CHECK(got[b].item<double>() == Approx(want).epsilon(1e-12).margin(1e-12));
      }
    }
  }
}

}  // namespace stride
