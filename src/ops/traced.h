// A function caught as a graph: parameters without values, and the results made from them.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "array/node.h"
#include "ops/record.h"

namespace pellucid::ops {

/// Results as a function of parameters alone. The first parameters are those of the user's function; the rest stand for
/// the arrays that it captured.
struct Traced {
  Arrays parameters;
  Arrays outputs;
};
using TracedPtr = std::shared_ptr<const Traced>;

/// Catches `f` over operands like `arguments` (shapes and types), and what f captured. Scalars with a value, also
/// repeated, stay inside.
struct Closed {
  TracedPtr traced;
  Arrays captured;  // values for the parameters after the first arguments.size()
};
Closed close(const std::function<Arrays(const Arrays&)>& f, const Arrays& arguments);

/// The results for other operands, as new nodes; nodes that no parameter reaches are shared.
Arrays replay(const Traced& traced, const Arrays& arguments);

/// Nodes from which `outputs` are made and that some of `from` reach, operands before users. Walks iteratively.
/// `reached[node]` for each of them; outputs that nothing reaches do not appear.
struct Reached {
  std::vector<Node*> order;
  std::unordered_map<const Node*, std::size_t> position;  // in order
  bool contains(const Array& x) const { return position.count(x.node()) != 0; }
};
Reached reached_from(const Arrays& from, const Arrays& outputs);

/// Arrays by (node, output), for walks that give each array another.
class Substitution {
 public:
  void set(const Array& from, const Array& to);
  /// The substitute, or `x` itself.
  const Array& at(const Array& x) const;
  bool has(const Array& x) const;

 private:
  std::unordered_map<const Node*, Arrays> map_;
};

/// A node of kind kCall holds its function in Attributes::extra as a CallBody.
struct CallBody {
  Traced traced;
  std::function<Arrays(const Arrays&, const Arrays&, const Arrays&)> vjp;  // custom
  std::function<Arrays(const Arrays&, const std::vector<bool>&)> batch;    // custom, may be empty
  std::size_t arguments = 0;                                               // before the captured ones
};
const CallBody& call_body(const Node& node);

}  // namespace pellucid::ops
