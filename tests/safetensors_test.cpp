// Binary files: what is written is read back, and damaged ones are refused at every length.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "base/atomic_file.h"
#include "io/idx.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "pellucid/data.h"
#include "pellucid/io.h"

namespace pellucid {
namespace {

std::string with_header(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + data;
}

const std::string kGood =
    R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";

TEST(Safetensors, ReadsWhatIsRight) {
  const std::string bytes = with_header(kGood, std::string(11, '\1'));
  const io::RawTensors raw = io::parse_safetensors(bytes, "x");
  EXPECT_EQ(raw.tensors.at("a").shape, Shape{2});
  EXPECT_EQ(raw.tensors.at("b").size, 3U);
}

TEST(Safetensors, RefusesEveryTruncationAndMoreData) {
  const std::string bytes = with_header(kGood, std::string(11, '\1'));
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THROW(io::parse_safetensors(bytes.substr(0, n), "x"), Error) << n;
  }
  EXPECT_THROW(io::parse_safetensors(bytes + "x", "x"), Error);
}

TEST(Safetensors, RefusesDamagedHeaders) {
  const std::string data(8, '\0');
  for (
      const char* header :
      {R"([])", R"({"a":1})", R"({"a":{"dtype":"F8","shape":[2],"data_offsets":[0,8]}})",
       R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",
       R"({"a":{"dtype":"F32","shape":[4294967296,8589934592],"data_offsets":[0,8]}})",
       R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}})",
       R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       R"({"a":{"dtype":"F32","shape":[[[[2]]]],"data_offsets":[0,8]}})",
       R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
       R"({"__metadata__":{"k":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"}) {
    EXPECT_THROW(io::parse_safetensors(with_header(header, data), "x"), Error) << header;
  }
}

TEST(Npy, RoundTripAndTruncations) {
  const std::string bytes = io::npy_bytes(DType::kInt32, {2, 1}, std::string(8, '\2'));
  EXPECT_EQ(io::parse_npy(bytes, "x").shape, (Shape{2, 1}));
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_THROW(io::parse_npy(bytes.substr(0, n), "x"), Error) << n;
}

TEST(Idx, RefusesBadMagicAndEveryTruncation) {
  const std::string path = (std::filesystem::temp_directory_path() / "pellucid_idx_test").string();
  const std::string bytes("\0\0\x08\x01\0\0\0\x02xy", 10);
  base::write_file(path, bytes);
  EXPECT_EQ(io::parse_idx(io::read_file(path, "read_idx"), path).array.shape, Shape{2});
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    base::write_file(path, bytes.substr(0, n));
    EXPECT_THROW(io::parse_idx(io::read_file(path, "read_idx"), path), Error) << n;
  }
  base::write_file(path, std::string("\1\0\x08\x01\0\0\0\x02xy", 10));
  EXPECT_THROW(io::parse_idx(io::read_file(path, "read_idx"), path), Error);
  std::filesystem::remove(path);
}

TEST(Preprocessing, JsonReadsBackTheSame) {
  const io::Table table = io::parse_csv("n,c,k,y\n1,a,5,p\n,b,5,q\n3,a,5,p\n9,,5,q\n");
  const data::Rows rows = data::all_rows(table.rows);
  const data::Target target = data::fit_target(table, "y", {}, rows);
  const data::Preprocessing fitted = data::fit_preprocessing(table, target, rows);
  ASSERT_EQ(fitted.dropped.size(), 1U);
  EXPECT_EQ(fitted.dropped[0].first, "k");
  const std::string json = data::to_json(fitted);
  EXPECT_EQ(data::to_json(data::preprocessing_from_json(json)), json);
}

}  // namespace
}  // namespace pellucid
