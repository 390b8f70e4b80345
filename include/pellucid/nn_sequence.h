// Layers for sequences: vectors for indices (Embedding, EmbeddingBag), and recurrent layers (RNN, LSTM, GRU).
//
//   pl::nn::Embedding embedding(65, 128);                     // (N, T) indices -> (N, T, 128)
//   pl::nn::LSTM lstm(128, 256, {.layers = 2});               // (N, T, 128) -> (N, T, 256)
//   const auto [outputs, last] = lstm(embedding(tokens), {.lengths = lengths});
//
// In shapes, N is the batch, T time, C and F features, H the width of the hidden state, L layers, D directions (1 or
// 2). The batch is the leading axis everywhere, also of states: (N, L * D, H).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "pellucid/nn.h"

namespace pellucid::nn {

// ---- Embeddings -----------------------------------------------------------------------------------------------------

struct EmbeddingOptions {
  /// The row of this index starts at zero and receives no gradient.
  std::optional<std::int64_t> padding_index = {};
  /// The weight is not trained: it receives no gradient, and counts as frozen.
  bool frozen = false;
  /// Normal(0, 1) where not given.
  init::Initializer weight_initializer = {};
  DType dtype = float32;
};
/// The rows of a table by their numbers: indices (...) -> (..., F). Integers in [0, count).
///
/// The gradient of the table adds rows up in the order of the indices: the same bits for any number of threads. An
/// index out of range throws Error naming the layer: at the call where the indices' values are there, else when the
/// plan runs.
class Embedding : public Layer {
 public:
  /// Throws Error where a size is not positive or the padding index is no index.
  Embedding(std::int64_t count, std::int64_t features, EmbeddingOptions options = {});
  /// A table that is there already, (count, F), frozen unless `frozen` is false.
  static Embedding pretrained(const Array& weight, bool frozen = true, std::optional<std::int64_t> padding_index = {});
  Array operator()(const Array& indices) const;
  Options options() const;
  PELLUCID_MEMBERS(weight)
  Parameter weight;  // (count, F)

 private:
  std::optional<std::int64_t> padding_index_;
  bool frozen_;
};

enum class BagMode { kSum, kMean, kMax };
struct EmbeddingBagOptions {
  BagMode mode = BagMode::kMean;
  /// Entries of this index count for nothing: neither in sums nor in a mean's divisor nor in a maximum.
  std::optional<std::int64_t> padding_index = {};
  bool frozen = false;
  init::Initializer weight_initializer = {};  // normal(0, 1) where not given
  DType dtype = float32;
};
/// Which entries belong to a bag. At most one of `lengths` and `offsets` is given.
struct Bags {
  /// (N): of the T entries of bag n the first lengths[n] count.
  Array lengths = {};
  /// (N): the indices are one flat list (count), and bag n begins at offsets[n] and ends where the next begins.
  /// Ascending from 0.
  Array offsets = {};
  /// Of the indices' shape: each entry's row is multiplied by its weight. With kSum only.
  Array weights = {};
};
/// The sum, mean or maximum of the rows of each bag of indices: (N, T) -> (N, F), or (count) with offsets (N) -> (N,
/// F). An empty bag gives zeros. Where entries share the maximum, the first receives the gradient.
class EmbeddingBag : public Layer {
 public:
  /// Throws Error as Embedding does.
  EmbeddingBag(std::int64_t count, std::int64_t features, EmbeddingBagOptions options = {});
  Array operator()(const Array& indices) const { return (*this)(indices, Bags{}); }
  /// Throws Error where lengths, offsets or weights do not fit, and for an index out of range as Embedding does.
  Array operator()(const Array& indices, const Bags& bags) const;
  Options options() const;
  PELLUCID_MEMBERS(weight)
  Parameter weight;  // (count, F)

 private:
  BagMode mode_;
  std::optional<std::int64_t> padding_index_;
  bool frozen_;
};

// ---- Recurrent layers -----------------------------------------------------------------------------------------------

struct RecurrentOptions {
  std::int64_t layers = 1;     // each on the outputs of the one before
  bool bidirectional = false;  // each layer runs forwards and backwards; outputs are joined: (..., 2 H)
  double dropout = 0;          // of the outputs of all layers but the last, in training
  bool bias = true;
  /// Uniform in +-1 / sqrt(H) where not given.
  init::Initializer weight_initializer = {};
  init::Initializer bias_initializer = {};
  DType dtype = float32;
};

/// Hidden states of all layers and directions, (N, L * D, H): layer 0 forwards, layer 0 backwards, layer 1 ... `cell`
/// is the LSTM's second state, undefined elsewhere. Without the axis N where the sequence has none.
struct RecurrentState {
  Array hidden = {}, cell = {};
};
struct RecurrentInputs {
  /// (N): of the T steps of example n the first lengths[n] count; later ones leave the state as it is and give zeros.
  /// The backward direction begins at an example's last step.
  Array lengths = {};
  /// Zeros where undefined.
  RecurrentState initial = {};
};
struct RecurrentResult {
  Array outputs;        // (N, T, D * H)
  RecurrentState last;  // after each example's last step; of the backward direction after its first
};

/// One layer in one direction, with G gates side by side.
struct RecurrentWeights {
  Parameter input_weight;   // (C, G * H)
  Parameter hidden_weight;  // (H, G * H)
  Parameter bias;           // (G * H); undefined where there is none
  Parameter hidden_bias;    // GRU alone: (H), inside the product with the reset gate
};

/// What RNN, LSTM and GRU have in common. x: (N, T, C), or one sequence (T, C); the loop over time is one `scan`, and
/// the products of x with the input weights are one contraction outside of it. Names of parameters:
/// "forward.0.input_weight", "backward.1.bias".
class Recurrent : public Layer {
 public:
  /// (N, T, C) -> (N, T, D * H), from a state of zeros.
  Array operator()(const Array& x) const;
  /// Throws Error where x, the lengths or the states do not fit.
  RecurrentResult operator()(const Array& x, const RecurrentInputs& inputs) const;
  Options options() const;
  void visit_members(Visitor& visitor);

  std::vector<RecurrentWeights> forward, backward;  // of each layer; backward is empty where not bidirectional

 protected:
  enum class Cell { kTanh, kReLU, kLSTM, kGRU };
  Recurrent(std::string_view type, Cell cell, std::int64_t inputs, std::int64_t hidden, RecurrentOptions options);

 private:
  struct States {
    Array hidden, cell;
  };
  std::string_view type() const;
  std::int64_t gates() const;
  void check(const Call& call, const Array& x, const RecurrentInputs& inputs) const;
  Array run(const RecurrentWeights& weights, const Array& x, const Array& mask, States& states, bool reverse) const;

  Cell cell_;
  std::int64_t inputs_, hidden_;
  RecurrentOptions options_;
};

/// h' = tanh(x W + h U + b), or relu (Elman 1990).
class RNN : public Recurrent {
 public:
  enum class Nonlinearity { kTanh, kReLU };
  /// Throws Error where a size is not positive or the dropout is not in [0, 1).
  RNN(std::int64_t inputs, std::int64_t hidden, RecurrentOptions options = {},
      Nonlinearity nonlinearity = Nonlinearity::kTanh);
};

/// Long short-term memory (Hochreiter and Schmidhuber 1997, Gers et al. 2000): gates in the order i, f, g, o,
///   c' = sigmoid(f) c + sigmoid(i) tanh(g),   h' = sigmoid(o) tanh(c').
/// The weights are PyTorch's, transposed; its two biases are one, their sum.
class LSTM : public Recurrent {
 public:
  LSTM(std::int64_t inputs, std::int64_t hidden, RecurrentOptions options = {});
};

/// Gated recurrent unit (Cho et al. 2014): gates in the order r, z, n,
///   n' = tanh(x W_n + b_n + sigmoid(r) (h U_n + hidden_bias)),   h' = (1 - sigmoid(z)) n' + sigmoid(z) h.
/// The weights are PyTorch's, transposed; of its two biases those of r and z are one, their sum.
class GRU : public Recurrent {
 public:
  GRU(std::int64_t inputs, std::int64_t hidden, RecurrentOptions options = {});
};

}  // namespace pellucid::nn
