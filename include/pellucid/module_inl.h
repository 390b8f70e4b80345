// How functions walk through a module of any type. Included by module.h; layers with members of their own kind
// (Sequential) use Visitor directly.
#pragma once

#include "pellucid/module.h"

namespace pellucid::nn {

/// Walks through the members of a module, depth first, in order of declaration.
class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void parameter(const std::string& path, Parameter& parameter);
  virtual void array(const std::string& path, Array& array);
  virtual void buffer(const std::string& path, Buffer& buffer);
  /// Before and after the members of a module; the root's path is empty. `name` is the last part of the path.
  virtual void enter(const std::string& path, std::string_view name, Ref module);
  virtual void leave(const std::string& path, Ref module);

  void walk(View root) { visit("", root); }

  /// One member of the module that is being visited.
  template <class M>
  void member(std::string_view name, M& member) {
    if constexpr (std::is_same_v<M, Parameter>) {
      parameter(child(name), member);
    } else if constexpr (std::is_same_v<M, Buffer>) {
      buffer(child(name), member);
    } else if constexpr (std::is_same_v<M, Array>) {
      array(child(name), member);
    } else if constexpr (IsModule<M>) {
      visit(name, View(member));
    } else if constexpr (IsList<M>::value) {
      for (std::size_t i = 0; i < member.size(); ++i)
        this->member(std::string(name) + "." + std::to_string(i), member[i]);
    } else if constexpr (IsOptional<M>::value) {
      if (member) this->member(name, *member);
    }
  }

 private:
  template <class M>
  struct IsList : std::false_type {};
  template <class M, class A>
  requires(!std::is_same_v<M, bool>) struct IsList<std::vector<M, A>> : std::true_type {
  };
  template <class M, std::size_t N>
  struct IsList<std::array<M, N>> : std::true_type {};
  template <class M>
  struct IsOptional : std::false_type {};
  template <class M>
  struct IsOptional<std::optional<M>> : std::true_type {};

  std::string child(std::string_view name) const;
  void visit(std::string_view name, View module);

  std::string path_;
};

/// What is known of a module's type.
struct View::Table {
  std::string_view type;
  void (*members)(void* module, Visitor& visitor);
  Array (*call)(void* module, const Array& x);               // null: not called with one array
  void (*initialize)(void* module, const random::Key& key);  // null: has no rule of its own
  Arrays (*fresh)(void* module);                             // plain Arrays of a new one; empty: none, or unknown
  Layer* (*layer)(void* module);                             // null: no layer of this library
  std::vector<std::pair<std::string, Option>> (*options)(const void* module);  // null: none
};

namespace module {

template <class M>
concept HasType = requires {
  { M::type_name() } -> std::convertible_to<std::string_view>;
};
template <class M>
concept VisitsMembers = requires(M& m, Visitor& v) {
  m.visit_members(v);
};
template <class M>
concept Callable = requires(M& m, const Array& x) {
  { m(x) } -> std::convertible_to<Array>;
};
template <class M>
concept Initializes = requires(M& m, const random::Key& key) {
  m.initialize(key);
};
template <class M>
concept HasOptions = requires(const M& m) {
  m.options();
};
/// A handle on a module of another type.
template <class M>
concept Stands = requires(const M& m) {
  { m.ref() } -> std::same_as<Ref>;
};

template <class M>
constexpr std::string_view type_of() {
  if constexpr (HasType<M>)
    return M::type_name();
  else
    return reflect::type_name<M>();
}

template <class M>
void visit_members(void* module, Visitor& visitor) {
  M& m = *static_cast<M*>(module);
  if constexpr (VisitsMembers<M>)
    m.visit_members(visitor);
  else
    reflect::for_each_member<Module>(m, [&](std::string_view name, auto& member) { visitor.member(name, member); });
}

template <class M>
Arrays plain_arrays(M& m) {
  Arrays arrays;
  if constexpr (!VisitsMembers<M>) {
    reflect::for_each_member<Module>(m, [&](std::string_view, auto& member) {
      if constexpr (std::is_same_v<decltype(member), Array&>) arrays.push_back(member);
    });
  }
  return arrays;
}

template <class M>
Arrays fresh_arrays(void* module) {
  if constexpr (std::is_default_constructible_v<M>) {
    if (plain_arrays(*static_cast<M*>(module)).empty()) return {};
    M fresh{};
    return plain_arrays(fresh);
  } else {
    return {};
  }
}

template <class M>
constexpr auto call_of() -> Array (*)(void*, const Array&) {
  if constexpr (Callable<M>)
    return [](void* module, const Array& x) -> Array { return (*static_cast<M*>(module))(x); };
  else
    return nullptr;
}

template <class M>
constexpr auto initialize_of() -> void (*)(void*, const random::Key&) {
  if constexpr (Initializes<M>)
    return [](void* module, const random::Key& key) { static_cast<M*>(module)->initialize(key); };
  else
    return nullptr;
}

template <class M>
constexpr auto layer_of() -> Layer* (*)(void*) {
  if constexpr (std::is_base_of_v<Layer, M>)
    return [](void* module) -> Layer* { return static_cast<M*>(module); };
  else
    return nullptr;
}

template <class M>
constexpr auto options_of() -> std::vector<std::pair<std::string, Option>> (*)(const void*) {
  if constexpr (HasOptions<M>)
    return [](const void* module) { return static_cast<const M*>(module)->options(); };
  else
    return nullptr;
}

}  // namespace module

template <class M>
const View::Table& View::table_of() {
  static constexpr Table table = {module::type_of<M>(),       module::visit_members<M>, module::call_of<M>(),
                                  module::initialize_of<M>(), module::fresh_arrays<M>,  module::layer_of<M>(),
                                  module::options_of<M>()};
  return table;
}

template <IsModule M>
requires(!std::is_base_of_v<View, M>) View::View(const M& module) {
  if constexpr (module::Stands<M>) {
    *this = module.ref();
  } else {
    // Only a Ref changes anything, and it is never made from a const module.
    object_ = const_cast<M*>(&module);
    table_ = &table_of<M>();
  }
}

template <IsModule M>
requires(!std::is_base_of_v<View, M> && !std::is_const_v<M>) Ref::Ref(M& module) : View(module) {}

}  // namespace pellucid::nn
