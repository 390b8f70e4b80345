// Reading and writing NPY files.
#include "io/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "io/file.h"
#include "io/text.h"
#include "pellucid/io.h"

namespace pellucid::io {
namespace {

using base::fail;

constexpr std::string_view kMagic = "\x93NUMPY";

struct Header {
  std::string descr;
  std::optional<bool> fortran;
  std::optional<Shape> shape;
};

// The header is a Python dictionary of three known keys: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Header parse() {
    Header header;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        header.descr = descr();
      } else if (key == "fortran_order") {
        header.fortran = boolean();
      } else if (key == "shape") {
        header.shape = tuple();
      } else {
        damaged(base::format("the key '{}' is not known", shown(key)));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (header.descr.empty() || !header.fortran || !header.shape)
      damaged("'descr', 'fortran_order' or 'shape' is not there");
    return header;
  }

 private:
  [[noreturn]] void damaged(const std::string& reason) const {
    fail("{}: the header is damaged ({}, in '{}'); save the array again with numpy.save", where_, reason, shown(text_));
  }
  char peek() {
    while (i_ < text_.size() && (text_[i_] == ' ' || text_[i_] == '\n')) ++i_;
    return i_ < text_.size() ? text_[i_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c || i_ >= text_.size()) return false;
    ++i_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) damaged(base::format("'{}' is missing at byte {}", c, i_));
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') damaged(base::format("a name in quotes is missing at byte {}", i_));
    const std::size_t close = text_.find(quote, i_ + 1);
    if (close == std::string_view::npos) damaged("a quote does not close");
    const std::string result(text_.substr(i_ + 1, close - i_ - 1));
    i_ = close + 1;
    return result;
  }
  std::string descr() {
    if (peek() == '[')
      fail("{}: a structured array, which has no single element type; save its fields one by one", where_);
    return quoted();
  }
  bool boolean() {
    peek();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(i_, word.size()) == word) {
        i_ += word.size();
        return value;
      }
    }
    damaged(base::format("True or False is missing at byte {}", i_));
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      peek();
      std::int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data() + i_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0) damaged(base::format("no size at byte {}", i_));
      i_ = static_cast<std::size_t>(end - text_.data());
      accept('L');  // Python 2 wrote long integers so
      shape.push_back(size);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t i_ = 0;
};

Stored stored_type(std::string_view descr, const std::string& where) {
  constexpr std::pair<std::string_view, Stored> kTypes[] = {
      {"b1", Stored::kBool},   {"i1", Stored::kInt8},    {"u1", Stored::kUInt8},   {"i2", Stored::kInt16},
      {"u2", Stored::kUInt16}, {"i4", Stored::kInt32},   {"u4", Stored::kUInt32},  {"i8", Stored::kInt64},
      {"u8", Stored::kUInt64}, {"f2", Stored::kFloat16}, {"f4", Stored::kFloat32}, {"f8", Stored::kFloat64}};
  for (const auto& [name, type] : kTypes) {
    if (descr.size() == 3 && descr.substr(1) == name &&
        std::string_view("<>|=").find(descr[0]) != std::string_view::npos) {
      return type;
    }
  }
  const bool objects = descr.find('O') != std::string_view::npos;
  fail("{}: element type '{}' {}; save the array as numbers, e.g. x.astype('float32')", where, shown(descr),
       objects ? "is Python objects, which can run code and are not read" : "is not a number type of 1 to 8 bytes");
}

// Rewrites elements of Fortran order, the first axis fastest, in C order.
void to_c_order(RawArray& array) {
  const std::size_t rank = array.shape.size();
  if (rank < 2 || array.size == 0) return;
  const std::size_t size = size_of(array.dtype);
  std::vector<std::size_t> strides(rank, size);
  for (std::size_t d = 1; d < rank; ++d) strides[d] = strides[d - 1] * static_cast<std::size_t>(array.shape[d - 1]);
  std::unique_ptr<char[]> ordered(new char[array.size]);
  std::vector<std::int64_t> index(rank, 0);
  std::size_t from = 0;
  for (std::size_t to = 0; to < array.size; to += size) {
    std::memcpy(ordered.get() + to, array.data + from, size);
    for (std::size_t d = rank; d-- > 0;) {
      from += strides[d];
      if (++index[d] < array.shape[d]) break;
      from -= strides[d] * static_cast<std::size_t>(array.shape[d]);
      index[d] = 0;
    }
  }
  array.owned = std::move(ordered);
  array.data = array.owned.get();
}

std::string_view descr_of(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return "|b1";
    case DType::kUInt8:
      return "|u1";
    case DType::kInt32:
      return "<i4";
    case DType::kInt64:
      return "<i8";
    case DType::kFloat64:
      return "<f8";
    default:
      return "<f4";
  }
}

}  // namespace

RawArray parse_npy(std::string_view bytes, const std::string& where) {
  if (!bytes.starts_with(kMagic)) fail("{}: does not begin with \\x93NUMPY; it is no NPY file or damaged", where);
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  const std::size_t version = bytes.size() > 6 ? byte(6) : 0;
  const std::size_t before = version == 1 ? 10 : 12;
  if (bytes.size() < before) fail("{}: the file ends in its header; it was cut off: copy it again", where);
  if (version < 1 || version > 3)
    fail("{}: NPY version {}, and 1 to 3 are known; save it with numpy.save", where, version);
  std::size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > bytes.size() - before) fail("{}: the file ends in its header; it was cut off: copy it again", where);

  const Header header = HeaderParser(bytes.substr(before, length), where).parse();
  const Stored type = stored_type(header.descr, where);
  const std::string_view data = bytes.substr(before + length);
  std::size_t claimed = 0;
  if (!count_bytes(*header.shape, size_of(type), claimed)) {
    fail("{}: the shape {} overflows or has more than {} axes; the file is damaged", where, *header.shape, kMaxRank);
  }
  if (data.size() != claimed) {
    fail("{}: shape {} of '{}' takes {} bytes of data, and there are {}; {}", where, *header.shape, header.descr,
         claimed, data.size(),
         data.size() < claimed ? "the file was cut off: copy it again" : "keep one array in one file");
  }
  RawArray array = decode(data, type, *header.shape, header.descr[0] == '>', where);
  if (*header.fortran) to_c_order(array);
  return array;
}

std::string npy_bytes(DType dtype, const Shape& shape, std::string_view data) {
  std::string sizes;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    sizes += std::to_string(shape[d]) + (d + 1 < shape.size() ? ", " : shape.size() == 1 ? "," : "");
  }
  std::string header =
      base::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr_of(dtype), sizes);
  constexpr std::size_t kBefore = 10, kAlign = 64;  // data begin at a multiple of 64, as NumPy has it
  header.append((kAlign - (kBefore + header.size() + 1) % kAlign) % kAlign, ' ');
  header += '\n';
  std::string result(kMagic);
  result += {'\x01', '\x00', static_cast<char>(header.size() & 0xFFU), static_cast<char>(header.size() >> 8U)};
  result += header;
  result += data;
  return result;
}

Array read_npy(const std::string& path) {
  const FileBytes bytes = map_file(path, "read_npy");
  return parse_npy(bytes.view(), base::format("read_npy: '{}'", path)).to_array();
}

void write_npy(const std::string& path, const Array& array) {
  if (array.dtype() == DType::kBFloat16) {
    const std::vector<float> values = array.to_vector<float>();
    const std::string_view data(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    base::write_file(path, npy_bytes(DType::kFloat32, array.shape(), data));
    return;
  }
  const std::size_t size = static_cast<std::size_t>(array.size()) * pellucid::size_of(array.dtype());
  const std::string_view data(static_cast<const char*>(array.raw_data()), size);
  base::write_file(path, npy_bytes(array.dtype(), array.shape(), data));
}

}  // namespace pellucid::io
