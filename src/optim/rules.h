// What the optimiser asks of a rule: its hyperparameters, what it keeps for each parameter, and how it updates one.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "optim/check.h"
#include "optim/scalar.h"
#include "pellucid/optim.h"

namespace pellucid::optim {

/// One hyperparameter besides the learning rate.
struct Field {
  std::string_view name;
  double value;
  Range range;
};

/// An array that a rule keeps: its name in files, and what it holds before the first update.
struct Slot {
  std::string_view name;
  double initial = 0;
};

struct Traits {
  std::string_view name;  // as the struct is called
  std::vector<Field> fields = {};
  bool counts = false;             // needs the number of the update
  std::vector<Slot> moments = {};  // one array for each parameter, of its type
  std::vector<Slot> scalars = {};  // one float64 scalar for the whole optimiser
  double weight_decay = 0;
  bool decoupled = false;
  bool decays_itself = false;  // weight decay is part of the rule's formula
};

Traits traits(const Rule& rule);
const Schedule& learning_rate_of(const Rule& rule);

/// What the parameters of one group share in one update.
struct Now {
  Scalar rate;
  double weight_decay = 0;
  Array t;         // float64, from 1; only where the rule counts
  Arrays scalars;  // of the rule, after `advance`
};

/// The rule's scalars after this update.
Arrays advance(const Rule& rule, const Array& t, const Arrays& scalars);
/// The numbers that `apply` takes, worked out once for each group.
std::vector<Scalar> coefficients(const Rule& rule, const Now& now);
/// The new w; replaces the moments. All arrays have one type and, the coefficients aside, one shape.
Array apply(const Rule& rule, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments);

}  // namespace pellucid::optim
