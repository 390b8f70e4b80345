// The steps that are not groups: contractions, kernels of their own, copies.
#pragma once

#include <cstring>
#include <utility>

#include "graph/step.h"
#include "kernels/kernels.h"

namespace pellucid::graph {

class ContractStep final : public Step {
 public:
  ContractStep(kernels::Contract contract, Ref c, Ref a, Ref b, Ref bias, Ref workspace)
      : contract_(std::move(contract)), refs_{c, a, b, bias, workspace} {}
  /// The steady operand, 1 for a and 2 for b, is packed at the start, and the copy read instead.
  void set_packed(int operand, Ref packed) {
    steady_ = refs_[operand];
    refs_[operand] = packed_ = packed;
  }
  void bind(std::byte* const* bases) override {
    for (int i = 0; i < 5; ++i) at_[i] = resolve(refs_[i], bases);
    steady_at_ = resolve(steady_, bases);
    packed_at_ = resolve(packed_, bases);
  }
  void start() override {
    if (packed_at_ != nullptr) contract_.pack(packed_at_, steady_at_);
  }
  void run() override { contract_.run(at_[0], at_[1], at_[2], at_[3], at_[4]); }

 private:
  kernels::Contract contract_;
  Ref refs_[5], steady_, packed_;
  std::byte *at_[5] = {}, *steady_at_ = nullptr, *packed_at_ = nullptr;
};

class OpaqueStep final : public Step {
 public:
  OpaqueStep(ops::Kernel kernel, std::vector<Ref> outputs, std::vector<Ref> inputs)
      : kernel_(std::move(kernel)),
        outputs_(std::move(outputs)),
        inputs_(std::move(inputs)),
        y_(outputs_.size()),
        x_(inputs_.size()) {}
  void bind(std::byte* const* bases) override {
    for (std::size_t i = 0; i < outputs_.size(); ++i) y_[i] = resolve(outputs_[i], bases);
    for (std::size_t i = 0; i < inputs_.size(); ++i) x_[i] = resolve(inputs_[i], bases);
  }
  void run() override { kernel_(y_.data(), x_.data()); }

 private:
  ops::Kernel kernel_;
  std::vector<Ref> outputs_, inputs_;
  std::vector<void*> y_;
  std::vector<const void*> x_;
};

class CopyStep final : public Step {
 public:
  CopyStep(Ref to, Ref from, Shape shape, Strides strides, std::size_t size)
      : to_(to),
        from_(from),
        shape_(std::move(shape)),
        strides_(std::move(strides)),
        dense_(contiguous_strides(shape_)),
        size_(size) {}
  void bind(std::byte* const* bases) override {
    y_ = resolve(to_, bases);
    x_ = resolve(from_, bases);
  }
  void run() override {
    kernels::copy_strided_parallel(y_, dense_.data(), x_, strides_.data(), shape_.data(),
                                   static_cast<int>(shape_.size()), size_);
  }

 private:
  Ref to_, from_;
  Shape shape_;
  Strides strides_, dense_;
  std::size_t size_;
  std::byte *y_ = nullptr, *x_ = nullptr;
};

/// For groups of no elements: reductions of nothing give the identity.
class EmptyReduceStep final : public Step {
 public:
  EmptyReduceStep(const kernels::Reduction& reduction, DType dtype, Ref y, std::int64_t count)
      : kernel_(reduction.rows[dtype]), ref_(y), count_(count) {}
  void bind(std::byte* const* bases) override { y_ = resolve(ref_, bases); }
  void run() override {
    if (count_ > 0) kernel_(y_, nullptr, static_cast<std::size_t>(count_), 0);
  }

 private:
  kernels::ReduceRows kernel_;
  Ref ref_;
  std::int64_t count_;
  std::byte* y_ = nullptr;
};

}  // namespace pellucid::graph
