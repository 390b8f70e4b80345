// The members of a struct, and their names: what nn::Module rests on. Nobody needs to call anything here by hand.
//
// An aggregate (no constructors, no private members, no virtual functions) is taken apart by a structured binding; the
// names come from how the compiler spells a pointer to each member. Any other struct names its members itself, in one
// line: PELLUCID_MEMBERS(hidden, encoder).
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

/// For a struct that is no aggregate: names the members that hold layers, parameters and buffers. At most 32.
///   struct Net : pl::nn::Module {
///     explicit Net(int width) : hidden(784, width), output(width, 10) {}
///     PELLUCID_MEMBERS(hidden, output)
///     pl::nn::Linear hidden, output;
///   };
#define PELLUCID_MEMBERS(...)                   \
  template <class Visit>                        \
  void pellucid_members(Visit&& visit) {        \
    PELLUCID_EXPAND(PELLUCID_EACH(__VA_ARGS__)) \
  }
#define PELLUCID_EACH(member, ...) \
  visit(#member, member);          \
  __VA_OPT__(PELLUCID_AGAIN PELLUCID_PARENS(__VA_ARGS__))
#define PELLUCID_AGAIN() PELLUCID_EACH
#define PELLUCID_PARENS ()
#define PELLUCID_EXPAND(...) PELLUCID_EXPAND_3(PELLUCID_EXPAND_3(PELLUCID_EXPAND_3(__VA_ARGS__)))
#define PELLUCID_EXPAND_3(...) PELLUCID_EXPAND_2(PELLUCID_EXPAND_2(PELLUCID_EXPAND_2(__VA_ARGS__)))
#define PELLUCID_EXPAND_2(...) PELLUCID_EXPAND_1(PELLUCID_EXPAND_1(PELLUCID_EXPAND_1(__VA_ARGS__)))
#define PELLUCID_EXPAND_1(...) __VA_ARGS__

namespace pellucid::reflect {

inline constexpr std::size_t kMostMembers = 32;

/// Stands for a value of any type but a base of `Base`, so that members can be counted without being made.
template <class Base>
struct Anything {
  template <class T>
  requires(!std::is_base_of_v<T, Base>) operator T() const;
};

template <class T, class Base, std::size_t... I>
consteval bool can_be_made_of(std::index_sequence<I...>) {
  return requires { T{{}, (static_cast<void>(I), Anything<Base>{})...}; };
}

/// The number of members of an aggregate whose one base is the empty `Base`.
template <class T, class Base, std::size_t N = kMostMembers + 1>
consteval std::size_t member_count() {
  if constexpr (N == 0)
    return 0;
  else if constexpr (can_be_made_of<T, Base>(std::make_index_sequence<N>()))
    return N;
  else
    return member_count<T, Base, N - 1>();
}

/// References to the members, in order. Should a compiler complain here that names and elements differ in number: a
/// member is an array such as `Linear layers[3]` (std::array can be counted), or the struct's base has members of its
/// own, or a member's type cannot be told from others; name the members by PELLUCID_MEMBERS.
template <class Base, class T>
constexpr auto members(T& x) {
  constexpr std::size_t n = member_count<std::remove_const_t<T>, Base>();
  static_assert(n <= kMostMembers, "a module has at most 32 members: group some of them into a struct of their own");
  if constexpr (n == 0) {
    return std::tuple<>();
  } else if constexpr (n == 1) {
    auto& [m0] = x;
    return std::tie(m0);
  } else if constexpr (n == 2) {
    auto& [m0, m1] = x;
    return std::tie(m0, m1);
  } else if constexpr (n == 3) {
    auto& [m0, m1, m2] = x;
    return std::tie(m0, m1, m2);
  } else if constexpr (n == 4) {
    auto& [m0, m1, m2, m3] = x;
    return std::tie(m0, m1, m2, m3);
  } else if constexpr (n == 5) {
    auto& [m0, m1, m2, m3, m4] = x;
    return std::tie(m0, m1, m2, m3, m4);
  } else if constexpr (n == 6) {
    auto& [m0, m1, m2, m3, m4, m5] = x;
    return std::tie(m0, m1, m2, m3, m4, m5);
  } else if constexpr (n == 7) {
    auto& [m0, m1, m2, m3, m4, m5, m6] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6);
  } else if constexpr (n == 8) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7);
  } else if constexpr (n == 9) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8);
  } else if constexpr (n == 10) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9);
  } else if constexpr (n == 11) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10);
  } else if constexpr (n == 12) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11);
  } else if constexpr (n == 13) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12);
  } else if constexpr (n == 14) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13);
  } else if constexpr (n == 15) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14);
  } else if constexpr (n == 16) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15);
  } else if constexpr (n == 17) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16);
  } else if constexpr (n == 18) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17);
  } else if constexpr (n == 19) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18);
  } else if constexpr (n == 20) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19);
  } else if constexpr (n == 21) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20);
  } else if constexpr (n == 22) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21);
  } else if constexpr (n == 23) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22);
  } else if constexpr (n == 24) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22,
           m23] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23);
  } else if constexpr (n == 25) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24);
  } else if constexpr (n == 26) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25);
  } else if constexpr (n == 27) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26);
  } else if constexpr (n == 28) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27);
  } else if constexpr (n == 29) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28);
  } else if constexpr (n == 30) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29);
  } else if constexpr (n == 31) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30);
  } else if constexpr (n == 32) {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31] = x;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31);
  }
}

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif
// A pointer to a member of an object that need not exist, as a template argument: its spelling ends with the name.
template <class T>
struct Unmade {
  const T value;
};
template <class T>
extern const Unmade<T> unmade;
template <class T>
struct Pointer {
  const T* value;
};
template <class T>
Pointer(const T*) -> Pointer<T>;

template <auto kPointer>
consteval std::string_view spelling() {
  return __PRETTY_FUNCTION__;
}

/// "hidden" for member I of T.
template <class Base, class T, std::size_t I>
consteval std::string_view member_name() {
  constexpr std::string_view text = spelling<Pointer{std::addressof(std::get<I>(members<Base>(unmade<T>.value)))}>();
  // g++: "... .Net::hidden)}; std::string_view = ...]", clang: "...value.hidden}]".
  std::size_t end = text.rfind(")}");
  if (end == std::string_view::npos) end = text.rfind('}');
  constexpr auto in_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  std::size_t begin = end;
  while (begin > 0 && in_name(text[begin - 1])) --begin;
  return text.substr(begin, end - begin);
}
#if defined(__clang__)
#pragma clang diagnostic pop
#endif

template <class T>
consteval std::string_view type_spelling() {
  return __PRETTY_FUNCTION__;
}

/// "Net" for struct app::Net.
template <class T>
consteval std::string_view type_name() {
  std::string_view text = type_spelling<T>();
  const std::size_t begin = text.find("T = ") + 4;
  text = text.substr(begin, text.find_first_of(";]", begin) - begin);
  const std::size_t scope = text.substr(0, text.find('<')).rfind("::");
  return scope == std::string_view::npos ? text : text.substr(scope + 2);
}

namespace probe {
struct Base {};
struct Pair : Base {
  int first_one;
  double second;
};
static_assert(member_count<Pair, Base>() == 2 && member_name<Base, Pair, 0>() == "first_one" &&
                  member_name<Base, Pair, 1>() == "second" && type_name<Pair>() == "Pair",
              "this compiler spells names in another way than g++ and clang: use PELLUCID_MEMBERS in every module");
}  // namespace probe

/// True where T names its members by PELLUCID_MEMBERS.
template <class T>
inline constexpr bool names_members = requires(T& x) {
  x.pellucid_members([](std::string_view, auto&) {});
};

/// Calls visit(name, member) for every member, in order.
template <class Base, class T, class Visit>
void for_each_member(T& x, Visit&& visit) {
  if constexpr (names_members<T>) {
    x.pellucid_members(visit);
  } else {
    static_assert(std::is_aggregate_v<T>,
                  "this module has constructors, private members or virtual functions, so its members cannot be found: "
                  "write PELLUCID_MEMBERS(first, second, ...) with all of its layers and parameters inside the struct");
    if constexpr (std::is_aggregate_v<T>) {
      auto all = members<Base>(x);
      [&]<std::size_t... I>(std::index_sequence<I...>) { (visit(member_name<Base, T, I>(), std::get<I>(all)), ...); }
      (std::make_index_sequence<std::tuple_size_v<decltype(all)>>());
    }
  }
}

}  // namespace pellucid::reflect
