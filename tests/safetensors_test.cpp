// Safetensors files: what other programs write is read, what is written reads back, and damage is refused.
#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>

#include "pellucid/io.h"
#include "pellucid/ops.h"
#include "support/files.h"
#include "support/message.h"

namespace pellucid {
namespace {

std::string with_header(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + data;
}

std::string refusal(const std::string& bytes) {
  return message_of([&] { io::parse_safetensors(bytes, "x"); });
}

const std::string kGood =
    R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";

TEST(Safetensors, ReadsEveryType) {
  const TemporaryFolder folder;
  const ReferenceFile file = reference_files("safetensors").at(0);
  std::string bytes = file.bytes;
  // The largest uint64 does not fit: said, and then replaced to read the others.
  EXPECT_PRED2(
      contains,
      refusal(with_header(R"({"a":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}})", std::string(8, '\xFF'))),
      "tensor 'a': the integer 18446744073709551615 does not fit int64; save the array as int64 or float64");
  const io::TensorFile read = io::read_safetensors(folder.add("x", bytes));
  EXPECT_EQ(read.metadata.at("made by"), "Python");
  ASSERT_EQ(read.tensors.size(), file.arrays.size());
  for (const auto& [name, array] : read.tensors) expect_array(array, file.arrays[name], name);
}

TEST(Safetensors, WritesWhatReadsBackAlignedAndTheSameEveryTime) {
  const TemporaryFolder folder;
  io::TensorFile file;
  file.metadata = {{"note", "\xC3\xA9t\xC3\xA9 \"quoted\"\n"}, {"empty", ""}};
  const Array x = {{1.5, -2.25}, {0, 1e-40}};
  for (const DType dtype : {DType::kBool, DType::kUInt8, DType::kInt32, DType::kInt64, DType::kBFloat16,
                            DType::kFloat32, DType::kFloat64}) {
    file.tensors["layer." + std::string(name_of(dtype))] = astype(x, dtype);
  }
  file.tensors["odd"] = astype(Array{1, 2, 3}, DType::kUInt8);
  file.tensors["none"] = zeros({3, 0});
  file.tensors["scalar"] = Array(2.5F);
  file.tensors["a view"] = permute(x, {1, 0});
  file.tensors["\xC3\xA9"] = Array{7};
  io::write_safetensors(folder.path("x"), file);
  io::write_safetensors(folder.path("y"), file);
  EXPECT_EQ(folder.files(), 2U);
  const std::string bytes = content_of(folder.path("x"));
  EXPECT_EQ(bytes, content_of(folder.path("y")));

  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  EXPECT_EQ(header % 8, 0U);
  const auto json = nlohmann::json::parse(bytes.substr(8, header));
  const io::TensorFile back = io::read_safetensors(folder.path("x"));
  EXPECT_EQ(back.metadata, file.metadata);
  ASSERT_EQ(back.tensors.size(), file.tensors.size());
  for (const auto& [name, array] : file.tensors) {
    const Array& other = back.tensors.at(name);
    EXPECT_EQ(other.dtype(), array.dtype()) << name;
    EXPECT_EQ(other.shape(), array.shape()) << name;
    EXPECT_EQ(other.to_vector<double>(), array.to_vector<double>()) << name;
    EXPECT_EQ(json[name]["data_offsets"][0].get<std::size_t>() % size_of(array.dtype()), 0U) << name;
  }
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_NE(refusal(bytes.substr(0, n)), "no error") << n;
}

TEST(Safetensors, WritesNothingThatCannotBeRead) {
  const TemporaryFolder folder;
  const auto refused = [&](const io::TensorFile& file) {
    return message_of([&] { io::write_safetensors(folder.path("x"), file); });
  };
  const Array x = {1};
  for (const auto& [name, shown] : {std::pair{"", ""}, {"__metadata__", "__metadata__"}, {"\xFF", "\\xff"}}) {
    EXPECT_EQ(refused({{{name, x}}, {}}), "write_safetensors: '" + folder.path("x") + "': a tensor cannot be named '" +
                                              shown + "'; give it another name");
  }
  EXPECT_PRED2(contains, refused({{{"a", Array()}}, {}}), "the tensor 'a' holds nothing; give it a value");
  EXPECT_PRED2(contains, refused({{}, {{"k", "\xFF"}}}),
               "the metadata 'k' is not UTF-8 or has NUL in its name; convert it");
  EXPECT_PRED2(contains, refused({{{std::string("a\0b", 3), x}}, {}}), "a tensor cannot be named 'a\\x00b'");
  EXPECT_PRED2(contains, refused({{}, {{std::string("k\0", 2), ""}}}), "the metadata 'k\\x00' is not UTF-8 or has NUL");
  EXPECT_PRED2(contains, refused({{}, {{"k", std::string(io::kMostHeader, 'x')}}}),
               "names and metadata take 100000032 bytes, and readers take 100000000; shorten them");
  EXPECT_EQ(folder.files(), 0U);
}

TEST(Safetensors, RefusesEveryTruncationAndMoreData) {
  const std::string bytes = with_header(kGood, std::string(11, '\1'));
  EXPECT_EQ(refusal(bytes), "no error");
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_NE(refusal(bytes.substr(0, n)), "no error") << n;
  EXPECT_EQ(refusal(bytes + "x"),
            "read_safetensors: 'x': the tensors take 11 bytes, and there are 12; the file is damaged");
}

TEST(Safetensors, SaysWhatIsWrong) {
  const auto expect = [](const std::string& header, const std::string& part) {
    const std::string text = refusal(with_header(header, std::string(8, '\0')));
    EXPECT_PRED2(contains, text, part);
    EXPECT_TRUE(text.starts_with("read_safetensors: 'x': ")) << text;
  };
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  EXPECT_EQ(refusal("PNG"), "read_safetensors: 'x' has 3 bytes, and a safetensors file at least 8; copy it again");
  EXPECT_EQ(refusal("PK\3\4 and more"),
            "read_safetensors: 'x': the header claims 7236828441365138256 bytes in a file of 13 (at most 100000000 are "
            "read); the file was cut off or is no safetensors file");
  const std::string no_object = "the header does not begin with '{'; the file is damaged or no safetensors file";
  for (const char* header : {"[]", "", " ", " {}", "\n{}", "\t{}", "\xEF\xBB\xBF{}", "null"}) expect(header, no_object);
  const std::string no_end = "the header does not end in '}' and spaces; the file is damaged";
  for (const char* header : {"{", "{ ", "{}\n", "{}\t", "{}x", "{}  \r  ", "{},"}) expect(header, no_end);
  expect(std::string("{}\0", 3), no_end);
  expect("{} }", "the header is not JSON; the file is damaged or no safetensors file");
  expect("{}{}", "the header is not JSON");
  expect("{\"a\xFF\":1}", "the header is not JSON");
  expect("{\"a\":" + std::string(100000, '[') + "}", "the header is nested too deep; the file is damaged");
  expect(R"({"a\u0000b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
         "the name 'a\\x00b' holds a NUL; write the file again without");
  expect(R"({"__metadata__":{"k\u0000":"v"}})", "the name 'k\\x00' holds a NUL");
  expect(R"({"__metadata__":{"k":"v","k":"w"}})", "the name 'k' appears twice");
  expect(R"({"a":1})", "tensor 'a': its entry does not hold dtype, shape and data_offsets alone; the file is damaged");
  expect(R"({"a":{"dtype":"F32","shape":[2],"offsets":[0,8]}})", "its entry does not hold dtype, shape and");
  expect(entry("\"F8_E4M3\"", "[8]", "[0,8]"), "element type \"F8_E4M3\" is not one that is read");
  expect(entry("7", "[8]", "[0,8]"), "element type 7 is not one that is read");
  expect(entry("\"F32\"", "[-2]", "[0,8]"), "a size in its shape is no whole number from 0 to 2^63 - 1");
  expect(entry("\"F32\"", "[2.0]", "[0,8]"), "a size in its shape is no whole number");
  expect(entry("\"F32\"", "2", "[0,8]"), "its shape is no list of at most 16 sizes");
  expect(entry("\"F32\"", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"), "no list of at most 16 sizes");
  expect(entry("\"F32\"", "[4294967296,8589934592]", "[0,8]"), "its shape [4294967296, 8589934592] overflows");
  // Whatever the order, and however many zeros make the product small.
  for (const char* shape : {"[0,4294967296,8589934592]", "[4294967296,0,8589934592]", "[4294967296,8589934592,0]"}) {
    expect(entry("\"F32\"", shape, "[0,0]"), "overflows; the file is damaged");
  }
  expect(entry("\"F32\"", "[2]", "[0,9]"), "its data_offsets are no range within the 8 bytes of data");
  expect(entry("\"F32\"", "[2]", "[8,0]"), "its data_offsets are no range within");
  expect(entry("\"F32\"", "[2]", "[0]"), "its data_offsets are no range within");
  expect(entry("\"F32\"", "[2]", "[0,18446744073709551615]"), "its data_offsets are no range within");
  expect(entry("\"F32\"", "[1]", "[0,8]"), "shape [1] takes 4 bytes, and its range has 8");
  expect(entry("\"F32\"", "[1]", "[4,8]"), "tensor 'a' begins at byte 4 of the data, and the one before ends at 0");
  expect(entry("\"F32\"", "[1]", "[0,4]"), "the tensors take 4 bytes, and there are 8; the file is damaged");
  expect(
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
      "the name 'a' appears twice; write the file again with names of their own");
  expect(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "the name 'dtype' appears twice");
  expect(
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      "tensor 'b' begins at byte 4 of the data, and the one before ends at 8");
  expect(R"({"__metadata__":{"k":1}})", "'k' in __metadata__ is no text; the file is damaged");
  expect(R"({"__metadata__":1})", "__metadata__ is no JSON object; the file is damaged");
}

}  // namespace
}  // namespace pellucid
