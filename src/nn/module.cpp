// Walking through modules: collecting, replacing, freezing and initialising their arrays.
#include "pellucid/module.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <unordered_set>

#include "base/fail.h"
#include "pellucid/ops.h"

namespace pellucid::nn {

using base::fail;

namespace {

constexpr std::uint64_t kDefaultSeed = 0x9e3779b97f4a7c15;

/// A place of a module that holds an array.
struct Slot {
  std::string name;
  Array* value;
  Parameter* parameter;  // null for buffers and plain arrays
  Buffer* buffer;        // null for parameters
};

class Slots : public Visitor {
 public:
  explicit Slots(View module) { walk(module); }
  void parameter(const std::string& path, Parameter& p) override {
    if (p.value.defined()) parameters.push_back({path, &p.value, &p, nullptr});
  }
  void array(const std::string& path, Array& a) override {
    if (a.defined()) parameters.push_back({path, &a, nullptr, nullptr});
  }
  void buffer(const std::string& path, Buffer& b) override {
    if (b.value.defined()) buffers.push_back({path, &b.value, nullptr, &b});
  }
  std::vector<Slot> parameters, buffers;
};

std::vector<NamedArray> named(const std::vector<Slot>& slots) {
  std::vector<NamedArray> result;
  result.reserve(slots.size());
  for (const Slot& slot : slots) {
    const bool trainable = slot.buffer == nullptr && (slot.parameter == nullptr || slot.parameter->trainable);
    result.push_back({slot.name, *slot.value, trainable});
  }
  return result;
}

Arrays values(const std::vector<Slot>& slots) {
  Arrays result;
  result.reserve(slots.size());
  for (const Slot& slot : slots) result.push_back(*slot.value);
  return result;
}

void check_shape(std::string_view what, const Slot& slot, const Array& value) {
  if (!value.defined()) fail("{}: the new value of '{}' is an undefined Array", what, slot.name);
  if (value.shape() != slot.value->shape()) {
    fail("{}: '{}' has shape {}, and its new value {}", what, slot.name, slot.value->shape(), value.shape());
  }
}

void check_all(std::string_view what, std::string_view kind, const std::vector<Slot>& slots, const Arrays& next) {
  if (slots.size() != next.size())
    fail("{}: the module has {} {}, and {} were given", what, slots.size(), kind, next.size());
  for (std::size_t i = 0; i < slots.size(); ++i) check_shape(what, slots[i], next[i]);
}

void replace_all(std::string_view what, std::string_view kind, const std::vector<Slot>& slots, const Arrays& next) {
  check_all(what, kind, slots, next);
  for (std::size_t i = 0; i < slots.size(); ++i) *slots[i].value = next[i];
}

/// Glob matching of the whole of `text`, in time proportional to the product of the lengths at worst.
bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

int set_trainable(Ref module, std::string_view pattern, bool trainable) {
  const char* what = trainable ? "unfreeze" : "freeze";
  std::vector<Parameter*> found;
  for (const Slot& slot : Slots(module).parameters) {
    if (!matches(pattern, slot.name)) continue;
    if (slot.parameter == nullptr) {
      fail("{}: '{}' is a plain Array, which is always trainable; declare it as nn::Parameter", what, slot.name);
    }
    found.push_back(slot.parameter);
  }
  if (found.empty()) fail("{}: no parameter matches '{}'; nn::named_parameters lists their names", what, pattern);
  for (Parameter* parameter : found) parameter->trainable = trainable;
  return static_cast<int>(found.size());
}

}  // namespace

// ---- Parameter, View, Ref, Visitor ----------------------------------------------------------------------------------

Parameter::Parameter(Array initial)
    : value(initial), initializer([initial](const random::Key&, const Shape&, DType) { return initial; }) {}

Parameter::Parameter(const Shape& shape, init::Initializer initial, DType dtype) : initializer(std::move(initial)) {
  thread_local std::int64_t made = 0;
  value = initializer(random::fold_in(random::key(kDefaultSeed), Array(made++)), shape, dtype);
  unread_ = value;
}

void Parameter::settle() const {
  if (!value.same(unread_)) return;  // it was replaced, perhaps by a placeholder that has no value
  value.evaluate();
  unread_ = {};
}

std::string_view View::type() const { return table_->type; }

Array Ref::operator()(const Array& x) const {
  if (table_->call == nullptr) fail("{}: it cannot be called with one array", table_->type);
  return table_->call(object_, x);
}

bool Ref::callable() const { return table_->call != nullptr; }

Layer* Ref::layer() const { return table_->layer == nullptr ? nullptr : table_->layer(object_); }

void Visitor::parameter(const std::string&, Parameter&) {}
void Visitor::array(const std::string&, Array&) {}
void Visitor::buffer(const std::string&, Buffer&) {}
void Visitor::enter(const std::string&, std::string_view, Ref) {}
void Visitor::leave(const std::string&, Ref) {}

std::string Visitor::child(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

void Visitor::visit(std::string_view name, View module) {
  std::string outer = path_;
  if (!name.empty()) path_ = child(name);
  const Ref ref(module.object_, *module.table_);
  enter(path_, name, ref);
  module.table_->members(module.object_, *this);
  leave(path_, ref);
  path_ = std::move(outer);
}

// ---- Parameters and buffers -----------------------------------------------------------------------------------------

std::vector<NamedArray> named_parameters(View module) { return named(Slots(module).parameters); }
std::vector<NamedArray> named_buffers(View module) { return named(Slots(module).buffers); }
Arrays parameters(View module) { return values(Slots(module).parameters); }
Arrays buffers(View module) { return values(Slots(module).buffers); }

std::int64_t parameter_count(View module, bool trainable_only) {
  std::int64_t count = 0;
  for (const NamedArray& p : named_parameters(module)) {
    if (p.trainable || !trainable_only) count += p.value.size();
  }
  return count;
}

void set_parameters(Ref module, const Arrays& next) {
  replace_all("set_parameters", "parameters", Slots(module).parameters, next);
}

void set_buffers(Ref module, const Arrays& next) { replace_all("set_buffers", "buffers", Slots(module).buffers, next); }

namespace {

/// "weight, bias", and how many more there are.
std::string names_of(const Slots& slots) {
  constexpr std::size_t kMost = 8;
  std::vector<std::string> names;
  for (const Slot& slot : slots.parameters) names.push_back(slot.name);
  for (const Slot& slot : slots.buffers) names.push_back(slot.name);
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) text += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kMost) text += base::format(" and {} more", names.size() - kMost);
  return text.empty() ? "none" : text;
}

}  // namespace

void set_arrays(Ref module, const std::vector<NamedArray>& arrays, bool partial) {
  Slots slots(module);
  std::unordered_map<std::string_view, const Slot*> by_name;
  for (const Slot& slot : slots.parameters) by_name.emplace(slot.name, &slot);
  for (const Slot& slot : slots.buffers) by_name.emplace(slot.name, &slot);
  std::unordered_map<const Slot*, const Array*> next;
  for (const NamedArray& array : arrays) {
    const auto slot = by_name.find(array.name);
    if (slot == by_name.end())
      fail("set_arrays: the module has no '{}'; its arrays are {}", array.name, names_of(slots));
    check_shape("set_arrays", *slot->second, array.value);
    if (!next.emplace(slot->second, &array.value).second) fail("set_arrays: '{}' is given twice", array.name);
  }
  if (!partial) {
    for (const auto* list : {&slots.parameters, &slots.buffers}) {
      for (const Slot& slot : *list) {
        if (next.contains(&slot) || by_name.at(slot.name) != &slot) continue;
        fail("set_arrays: no value for '{}'; say partial = true to leave it as it is", slot.name);
      }
    }
  }
  for (const auto& [slot, value] : next) *slot->value = *value;
}

void astype(Ref module, DType dtype) {
  if (!is_float(dtype)) fail("astype: parameters cannot become {}; give a floating type", dtype);
  class Convert : public Visitor {
   public:
    explicit Convert(DType to) : to_(to) {}
    void parameter(const std::string&, Parameter& p) override {
      convert(p.value);
      if (!p.initializer) return;
      // The initialiser's own values (of a Parameter made from an array) keep following the type.
      p.initializer = [old = p.initializer, to = to_](const random::Key& key, const Shape& shape, DType) {
        return pellucid::astype(old(key, shape, to), to);
      };
    }
    void array(const std::string&, Array& a) override { convert(a); }
    void buffer(const std::string&, Buffer& b) override {
      convert(b.value);
      convert(b.initial);
    }

   private:
    void convert(Array& a) {
      if (a.defined() && is_float(a.dtype())) a = pellucid::astype(a, to_);
    }
    DType to_;
  };
  Convert(dtype).walk(module);
}

void initialize(Ref module, const random::Key& key) {
  assign_paths(module);
  class Draw : public Visitor {
   public:
    explicit Draw(const random::Key& key) : key_(key) {}
    void enter(const std::string&, std::string_view, Ref m) override {
      fresh_.push_back(m.table_->fresh(m.object_));
      used_.push_back(0);
    }
    void leave(const std::string&, Ref m) override {
      fresh_.pop_back();
      used_.pop_back();
      if (m.table_->initialize != nullptr) m.table_->initialize(m.object_, next());
    }
    void parameter(const std::string&, Parameter& p) override {
      if (p.value.defined() && p.initializer) p.value = p.initializer(next(), p.value.shape(), p.value.dtype());
    }
    void array(const std::string&, Array& a) override {
      const std::size_t i = used_.back()++;
      if (i < fresh_.back().size() && fresh_.back()[i].defined()) a = fresh_.back()[i];
    }
    void buffer(const std::string&, Buffer& b) override { b.value = b.initial; }

   private:
    random::Key next() { return random::fold_in(key_, Array(drawn_++)); }
    const random::Key& key_;
    std::int64_t drawn_ = 0;
    std::vector<Arrays> fresh_;
    std::vector<std::size_t> used_;
  };
  Draw(key).walk(module);
  try {
    key.evaluate();
  } catch (const Error&) {
    return;  // the key is traced, and so are the parameters
  }
  evaluate(parameters(module));
}

bool matches(std::string_view pattern, std::string_view name) {
  if (glob(pattern, name)) return true;
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
    if (glob(pattern, name.substr(0, dot))) return true;
  }
  return false;
}

int freeze(Ref module, std::string_view pattern) { return set_trainable(module, pattern, false); }
int unfreeze(Ref module, std::string_view pattern) { return set_trainable(module, pattern, true); }

void set_mode(Ref module, Mode mode) {
  class Set : public Visitor {
   public:
    explicit Set(Mode mode) : mode_(mode) {}
    void enter(const std::string&, std::string_view, Ref m) override {
      if (Layer* layer = m.layer()) layer->mode = mode_;
    }

   private:
    Mode mode_;
  };
  Set(mode).walk(module);
}

void assign_paths(Ref module) {
  class Assign : public Visitor {
   public:
    void enter(const std::string& path, std::string_view, Ref m) override {
      if (Layer* layer = m.layer()) layer->path = path;
    }
  };
  Assign().walk(module);
}

// ---- State in, state out --------------------------------------------------------------------------------------------

Swap::Swap(Ref module, const Arrays& parameters, const Arrays& buffers) {
  assign_paths(module);
  Slots slots(module);
  check_all("Swap", "parameters", slots.parameters, parameters);
  check_all("Swap", "buffers", slots.buffers, buffers);
  const auto exchange = [](const std::vector<Slot>& from, const Arrays& next, std::vector<Array*>& places,
                           Arrays& old) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      places.push_back(from[i].value);
      old.push_back(*from[i].value);
      *from[i].value = next[i];
    }
  };
  exchange(slots.parameters, parameters, parameter_slots_, parameters_);
  exchange(slots.buffers, buffers, buffer_slots_, buffers_);
}

Swap::~Swap() {
  for (std::size_t i = 0; i < parameter_slots_.size(); ++i) *parameter_slots_[i] = parameters_[i];
  for (std::size_t i = 0; i < buffer_slots_.size(); ++i) *buffer_slots_[i] = buffers_[i];
}

Arrays Swap::buffers() const {
  Arrays now;
  now.reserve(buffer_slots_.size());
  for (const Array* slot : buffer_slots_) now.push_back(*slot);
  return now;
}

Function functional(Ref module, std::function<Arrays(const Arrays& inputs)> body) {
  return [module, body = std::move(body)](const Arrays& arguments) {
    const Slots slots(module);
    const std::size_t parameters = slots.parameters.size(), buffers = slots.buffers.size();
    if (arguments.size() < parameters + buffers) {
      fail("functional: {} arguments; the module has {} parameters and {} buffers, and they come first",
           arguments.size(), parameters, buffers);
    }
    const auto at = [&](std::size_t i) { return arguments.begin() + static_cast<std::ptrdiff_t>(i); };
    const Swap swap(module, Arrays(at(0), at(parameters)), Arrays(at(parameters), at(parameters + buffers)));
    Arrays outputs = body(Arrays(at(parameters + buffers), arguments.end()));
    for (Array& buffer : swap.buffers()) outputs.push_back(std::move(buffer));
    return outputs;
  };
}

// ---- Training and evaluation ----------------------------------------------------------------------------------------

namespace {
thread_local Context* innermost = nullptr;
}

Context::Context(random::Key key) : key_(std::move(key)), outer_(innermost) {
  if (!key_.defined()) {
    fail("Context: the key is an undefined Array; give random::key(seed), or Context::evaluation() for none");
  }
  innermost = this;
}

Context::Context() : outer_(innermost) { innermost = this; }

Context::~Context() { innermost = outer_; }

bool Context::training() { return innermost != nullptr && innermost->key_.defined(); }

random::Key Context::next_key() {
  if (!training()) fail("Context::next_key: no nn::Context with a key on this thread; make one around the call");
  return random::fold_in(innermost->key_, Array(innermost->calls_++));
}

}  // namespace pellucid::nn
