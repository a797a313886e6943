// Butcher tableaux against their algebraic order conditions: Hairer, Nørsett & Wanner, Solving ODEs I, §II.2,
// table 2.2.
#include "solvers/shared/runge_kutta.h"
#include "tests/catch_torch.h"

#include <cmath>

namespace stride {
namespace {

using Vector = std::vector<double>;

Vector operator*(const Vector& a, const Vector& b) {
  Vector out;
  for (std::size_t i = 0; i < a.size(); ++i) out.push_back(a[i] * b[i]);
  return out;
}

double dot(const Vector& a, const Vector& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Places that a tableau leaves out at the end count as zero.
Vector padded(Vector values, std::size_t size) {
  values.resize(size, 0.0);
  return values;
}

struct Condition {
  int order;
  const char* tree;
  Vector vector;  // the weights times this one is `value`
  double value;
};

// One condition a rooted tree of up to five nodes.
std::vector<Condition> conditions(const ButcherTableau& tableau) {
  const std::size_t s = tableau.nodes.size();
  const auto A = [&](const Vector& v) {
    Vector out;
    for (const Vector& row : tableau.stages) out.push_back(dot(padded(row, s), v));
    return out;
  };
  const Vector one(s, 1.0);
  const Vector& c = tableau.nodes;
  const Vector cc = c * c;
  const Vector Ac = A(c);
  return {{1, "b", one, 1.0},
          {2, "bc", c, 1.0 / 2},
          {3, "bcc", cc, 1.0 / 3},
          {3, "bAc", Ac, 1.0 / 6},
          {4, "bccc", cc * c, 1.0 / 4},
          {4, "bc(Ac)", c * Ac, 1.0 / 8},
          {4, "bAcc", A(cc), 1.0 / 12},
          {4, "bAAc", A(Ac), 1.0 / 24},
          {5, "bcccc", cc * cc, 1.0 / 5},
          {5, "bcc(Ac)", cc * Ac, 1.0 / 10},
          {5, "b(Ac)(Ac)", Ac * Ac, 1.0 / 20},
          {5, "bc(Acc)", c * A(cc), 1.0 / 15},
          {5, "bAccc", A(cc * c), 1.0 / 20},
          {5, "bc(AAc)", c * A(Ac), 1.0 / 30},
          {5, "bA(c(Ac))", A(c * Ac), 1.0 / 40},
          {5, "bAAcc", A(A(cc)), 1.0 / 60},
          {5, "bAAAc", A(A(Ac)), 1.0 / 120}};
}

// The largest order up to which every condition holds; 5 is as far as the conditions go. `first` names the first tree
// that is missed.
int order_of(const ButcherTableau& tableau, const Vector& weights, std::string& first) {
  for (const Condition& condition : conditions(tableau)) {
    if (std::abs(dot(weights, condition.vector) - condition.value) < 1e-13) continue;
    first = condition.tree;
    return condition.order - 1;
  }
  return 5;
}

}  // namespace

TEST_CASE("tableau: every method and every embedded method has exactly the order that its table says", "[tableau]") {
  for (const ButcherTableau& tableau : butcher_tableaux()) {
    const std::size_t s = tableau.nodes.size();
    const Vector weights = padded(tableau.weights, s);
    std::string tree;
    const int order = order_of(tableau, weights, tree);
    CAPTURE(tableau.name, tree);
    CHECK(order == tableau.order);
    CHECK(tableau.error.empty() == (tableau.embedded_order == 0));
    if (tableau.error.empty()) continue;
    REQUIRE(tableau.error.size() == s);
    Vector embedded;
    for (std::size_t i = 0; i < s; ++i) embedded.push_back(weights[i] - tableau.error[i]);
    tree.clear();
    CHECK(order_of(tableau, embedded, tree) == tableau.embedded_order);
    CHECK(tableau.embedded_order < tableau.order);
  }
}

TEST_CASE("tableau: stages are explicit, and each slope belongs to the time of its node", "[tableau]") {
  for (const ButcherTableau& tableau : butcher_tableaux()) {
    CAPTURE(tableau.name);
    REQUIRE(tableau.stages.size() == tableau.nodes.size());
    CHECK(tableau.nodes[0] == 0.0);
    for (std::size_t i = 0; i < tableau.stages.size(); ++i) {
      CAPTURE(i);
      CHECK(tableau.stages[i].size() == i);
      CHECK(dot(tableau.stages[i], Vector(i, 1.0)) == Approx(tableau.nodes[i]).margin(1e-14));
      // Between the ends of the step, so that no stage asks for a level below its end.
      CHECK((tableau.nodes[i] >= 0.0 && tableau.nodes[i] <= 1.0));
    }
  }
}

TEST_CASE("tableau: without its estimate a method keeps its order and drops what only the estimate needed",
          "[tableau]") {
  const std::map<std::string, std::pair<int64_t, int64_t>> evaluations{{"bosh3", {4, 3}},    {"dopri5", {7, 6}},
                                                                       {"midpoint", {2, 2}}, {"ralston", {2, 2}},
                                                                       {"rk4", {4, 4}},      {"tsit5", {7, 6}}};
  for (const ButcherTableau& tableau : butcher_tableaux()) {
    const ButcherTableau plain = tableau.without_error();
    std::string tree;
    CAPTURE(tableau.name, tree);
    CHECK(order_of(plain, plain.weights, tree) == tableau.order);
    REQUIRE(evaluations.contains(tableau.name));
    CHECK(tableau.evaluations() == evaluations.at(tableau.name).first);
    CHECK(plain.evaluations() == evaluations.at(tableau.name).second);
  }
  CHECK(evaluations.size() == butcher_tableaux().size());
}

}  // namespace stride
