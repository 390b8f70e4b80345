// The links of chains: each formula over eight vectors of float32 in registers, for every way its operands reach it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/chain.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/chain.h"
#include "kernels/cpu/formulas-inl.h"
#include "kernels/cpu/map-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace chain {
namespace {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr LinkOperand kNone = LinkOperand::kNone, kR = LinkOperand::kRunning, kM = LinkOperand::kMemory,
                      kS = LinkOperand::kNumber;

// Eight vectors are as many as the calling convention passes in registers, and leave eight of AVX2 for the formula.
// With four, a link's jump and its pointers cost more than its arithmetic (Adam's update: 4.5 against 3.9 ns a vector).
using Code = void (*)(const Link* link, std::size_t i, V a0, V a1, V a2, V a3, V a4, V a5, V a6, V a7);
constexpr std::size_t kVectors = 8;
// Elements that are fetched ahead, since links read each stream in steps too long for the processor to do so by itself.
// On Zen 5, 64 MB: 21.6 GB/s without, 33 to 35 from 1024 to 2048; at 0.8 MB 2048 loses a tenth. Where nothing is
// fetched ahead it is 0: the line is read right behind.
constexpr std::size_t kAhead = 1024;
std::size_t ahead = 0;

/// A link: Body(link, i) is made once, and body(running, k) gives the k-th vector of its result.
template <class Body>
void link(const Link* at, std::size_t i, V a0, V a1, V a2, V a3, V a4, V a5, V a6, V a7) {
  const Body body(*at, i);
  a0 = body(a0, 0);
  a1 = body(a1, 1);
  a2 = body(a2, 2);
  a3 = body(a3, 3);
  a4 = body(a4, 4);
  a5 = body(a5, 5);
  a6 = body(a6, 6);
  a7 = body(a7, 7);
  const Link* next = at + 1;
  return reinterpret_cast<Code>(next->code)(next, i, a0, a1, a2, a3, a4, a5, a6, a7);
}
void end(const Link*, std::size_t, V, V, V, V, V, V, V, V) {}

// ---- Operands -------------------------------------------------------------------------------------------------------

/// A float32 operand that reaches the link as K tells.
template <LinkOperand K>
struct Float {
  HWY_INLINE Float(const void* pointer, std::size_t i) : p(static_cast<const float*>(pointer) + i) {}
  HWY_INLINE V operator()(V, std::size_t k) const {
    hwy::Prefetch(p + k * hn::Lanes(D()) + ahead);
    return hn::LoadU(D(), p + k * hn::Lanes(D()));
  }
  const float* p;
};
template <>
struct Float<LinkOperand::kRunning> {
  HWY_INLINE Float(const void*, std::size_t) {}
  HWY_INLINE V operator()(V running, std::size_t) const { return running; }
};
template <>
struct Float<LinkOperand::kNumber> {
  HWY_INLINE Float(const void* pointer, std::size_t) : v(hn::Set(D(), *static_cast<const float*>(pointer))) {}
  HWY_INLINE V operator()(V, std::size_t) const { return v; }
  V v;
};

/// A mask: the running one, or bytes in memory.
template <LinkOperand K>
struct Condition {
  HWY_INLINE Condition(const void* pointer, std::size_t i) : p(static_cast<const std::uint8_t*>(pointer) + i) {}
  HWY_INLINE hn::Mask<D> operator()(V, std::size_t k) const { return mask_of(D(), p + k * hn::Lanes(D())); }
  const std::uint8_t* p;
};
template <>
struct Condition<LinkOperand::kRunning> {
  HWY_INLINE Condition(const void*, std::size_t) {}
  HWY_INLINE hn::Mask<D> operator()(V running, std::size_t) const { return hn::MaskFromVec(running); }
};

// ---- Bodies ---------------------------------------------------------------------------------------------------------

/// A result as the running value: a comparison's mask becomes a vector.
HWY_INLINE V running_of(V v) { return v; }
HWY_INLINE V running_of(hn::Mask<D> mask) { return hn::VecFromMask(D(), mask); }

template <class F>
struct One {
  HWY_INLINE One(const Link&, std::size_t) {}
  HWY_INLINE V operator()(V running, std::size_t) const { return F::of(D(), running); }
};

template <class F, LinkOperand A, LinkOperand B>
struct Two {
  HWY_INLINE Two(const Link& l, std::size_t i) : a(l.p, i), b(l.p, i) {}  // one of them is the running value
  HWY_INLINE V operator()(V running, std::size_t k) const {
    return running_of(F::of(D(), a(running, k), b(running, k)));
  }
  Float<A> a;
  Float<B> b;
};

/// First reads operand a, which has the type that F wants: Float or Condition.
template <class F, template <LinkOperand> class First, LinkOperand A, LinkOperand B, LinkOperand C>
struct Three {
  HWY_INLINE Three(const Link& l, std::size_t i) : a(l.p, i), b(A == kR ? l.p : l.q, i), c(l.q, i) {}
  HWY_INLINE V operator()(V running, std::size_t k) const {
    return F::of(D(), a(running, k), b(running, k), c(running, k));
  }
  First<A> a;
  Float<B> b;
  Float<C> c;
};

/// a ? b : c.
struct Choose {
  static HWY_INLINE V of(D, hn::Mask<D> a, V b, V c) { return hn::IfThenElse(a, b, c); }
};

struct Load {
  HWY_INLINE Load(const Link& l, std::size_t i) : x(l.p, i) {}
  HWY_INLINE V operator()(V running, std::size_t k) const { return x(running, k); }
  Float<kM> x;
};

template <class T>
T* written(const Link& l, std::size_t i) {
  return static_cast<T*>(const_cast<void*>(l.p)) + i;
}

template <bool kPastCaches>
struct Store {
  HWY_INLINE Store(const Link& l, std::size_t i) : y(written<float>(l, i)) {}
  HWY_INLINE V operator()(V running, std::size_t k) const {
    float* to = y + k * hn::Lanes(D());
    kPastCaches ? hn::Stream(running, D(), to) : hn::StoreU(running, D(), to);
    return running;
  }
  float* y;
};

struct StoreMask {
  HWY_INLINE StoreMask(const Link& l, std::size_t i) : y(written<std::uint8_t>(l, i)) {}
  HWY_INLINE V operator()(V running, std::size_t k) const {
    const hn::Rebind<std::uint8_t, D> bytes;
    hn::StoreU(bytes_of(D(), hn::MaskFromVec(running)), bytes, y + k * hn::Lanes(D()));
    return running;
  }
  std::uint8_t* y;
};

// ---- The table ------------------------------------------------------------------------------------------------------

template <class Body>
LinkCode code() {
  return reinterpret_cast<LinkCode>(static_cast<Code>(link<Body>));
}

void add(ChainTable& t, Map map, LinkOperand a, LinkOperand b, LinkOperand c, LinkCode made, bool mask = false) {
  t.entries.push_back({map, a, b, c, mask, made});
}

template <class F>
void unary(ChainTable& t, const Maps& maps) {
  add(t, maps[float32], kR, kNone, kNone, code<One<F>>());
}

template <class F>
void binary(ChainTable& t, const Maps& maps) {
  add(t, maps[float32], kR, kM, kNone, code<Two<F, kR, kM>>());
  add(t, maps[float32], kR, kS, kNone, code<Two<F, kR, kS>>());
  add(t, maps[float32], kM, kR, kNone, code<Two<F, kM, kR>>());
  add(t, maps[float32], kS, kR, kNone, code<Two<F, kS, kR>>());
}

/// An operation, and its mirror image: the one that is the same with its operands exchanged.
template <class F>
void mirrored(ChainTable& t, const Maps& maps, const Maps& image, bool mask = false) {
  const LinkCode memory = code<Two<F, kR, kM>>(), number = code<Two<F, kR, kS>>();
  add(t, maps[float32], kR, kM, kNone, memory, mask);
  add(t, maps[float32], kR, kS, kNone, number, mask);
  add(t, image[float32], kM, kR, kNone, memory, mask);
  add(t, image[float32], kS, kR, kNone, number, mask);
}
template <class F>
void commutative(ChainTable& t, const Maps& maps) {
  mirrored<F>(t, maps, maps);
}
template <class F>
void compared(ChainTable& t, const Maps& maps, const Maps& image) {
  mirrored<F>(t, maps, image, true);
}

template <LinkOperand A, LinkOperand B, LinkOperand C>
void multiply_add(ChainTable& t, Map map) {
  const LinkCode made = code<Three<Fma, Float, A, B, C>>();
  add(t, map, A, B, C, made);
  if (A == kR) add(t, map, B, A, C, made);  // the product commutes, and p is its other factor
}

template <LinkOperand A, LinkOperand B, LinkOperand C>
void selected(ChainTable& t, Map map) {
  add(t, map, A, B, C, code<Three<Choose, Condition, A, B, C>>());
}

void fill(ChainTable& t) {
  const MapTable& maps = map_table();
  unary<Negative>(t, maps.negative);
  unary<Absolute>(t, maps.absolute);
  unary<Sign>(t, maps.sign);
  unary<Sqrt>(t, maps.sqrt);
  unary<Rsqrt>(t, maps.rsqrt);
  unary<Reciprocal>(t, maps.reciprocal);
  unary<Square>(t, maps.square);
  unary<Relu>(t, maps.relu);

  commutative<Add>(t, maps.add);
  commutative<Multiply>(t, maps.multiply);
  commutative<Maximum>(t, maps.maximum);
  commutative<Minimum>(t, maps.minimum);
  binary<Subtract>(t, maps.subtract);
  binary<Divide>(t, maps.divide);
  binary<ReluGate>(t, maps.relu_gate);

  compared<Equal>(t, maps.equal, maps.equal);
  compared<NotEqual>(t, maps.not_equal, maps.not_equal);
  compared<Less>(t, maps.less, maps.greater);
  compared<LessEqual>(t, maps.less_equal, maps.greater_equal);
  compared<Swapped<Less>>(t, maps.greater, maps.less);
  compared<Swapped<LessEqual>>(t, maps.greater_equal, maps.less_equal);

  const Map fma = maps.fma[float32];
  multiply_add<kR, kM, kM>(t, fma);
  multiply_add<kR, kM, kS>(t, fma);
  multiply_add<kR, kS, kM>(t, fma);
  multiply_add<kR, kS, kS>(t, fma);
  multiply_add<kM, kM, kR>(t, fma);
  multiply_add<kM, kS, kR>(t, fma);
  multiply_add<kS, kM, kR>(t, fma);

  const Map select = maps.select[float32];
  selected<kR, kM, kM>(t, select);
  selected<kR, kM, kS>(t, select);
  selected<kR, kS, kM>(t, select);
  selected<kR, kS, kS>(t, select);
  selected<kM, kR, kM>(t, select);
  selected<kM, kR, kS>(t, select);
  selected<kM, kM, kR>(t, select);
  selected<kM, kS, kR>(t, select);

  t.edges[static_cast<std::size_t>(EdgeLink::kLoad)] = code<Load>();
  t.edges[static_cast<std::size_t>(EdgeLink::kStore)] = code<Store<false>>();
  t.edges[static_cast<std::size_t>(EdgeLink::kStream)] = code<Store<true>>();
  t.edges[static_cast<std::size_t>(EdgeLink::kStoreMask)] = code<StoreMask>();
  t.edges[static_cast<std::size_t>(EdgeLink::kEnd)] = reinterpret_cast<LinkCode>(static_cast<Code>(end));
  t.block = kVectors * hn::Lanes(D());
  ahead = fetches_ahead() ? kAhead : 0;
}

void run(const Link* links, std::size_t n) {
  const V v = hn::Zero(D());
  const auto first = reinterpret_cast<Code>(links->code);
  for (std::size_t i = 0; i < n; i += kVectors * hn::Lanes(D())) first(links, i, v, v, v, v, v, v, v, v);
#if defined(__x86_64__)
  _mm256_zeroupper();  // the compiler does not see that the links leave upper halves, which slow down SSE behind them
#endif
}

}  // namespace
}  // namespace chain
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {
namespace {

const ChainTable& table() {
  static const ChainTable made = filled<ChainTable>(PELLUCID_FOR_ISA(isa(), chain::fill));
  return made;
}

}  // namespace

LinkCode find_link(Map map, LinkOperand a, LinkOperand b, LinkOperand c) {
  for (const auto& entry : table().entries) {
    if (entry.map == map && entry.a == a && entry.b == b && entry.c == c) return entry.code;
  }
  return nullptr;
}

bool has_links(Map map) {
  const auto& entries = table().entries;
  return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.map == map; });
}

bool makes_mask(Map map) {
  const auto& entries = table().entries;
  return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.map == map && entry.mask; });
}

LinkCode edge_link(EdgeLink kind) { return table().edges[static_cast<std::size_t>(kind)]; }
std::size_t chain_block() { return table().block; }
void run_chain(const Link* links, std::size_t n) { PELLUCID_FOR_ISA(isa(), chain::run)(links, n); }
void end_streams() { hwy::FlushStream(); }

}  // namespace pellucid::kernels
#endif
