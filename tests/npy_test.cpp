// NPY and NPZ files: what NumPy writes is read, what is written NumPy's way reads back, and damage is refused.
#include "io/npy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "io/file.h"
#include "pellucid/io.h"
#include "pellucid/ops.h"
#include "support/files.h"
#include "support/message.h"

namespace pellucid {
namespace {

std::string refusal(const std::string& bytes) {
  return message_of([&] { io::parse_npy(bytes, "read_npy: 'x'"); });
}

std::string npz_refusal(const std::string& bytes) {
  return message_of([&] { io::parse_npz(bytes, "x"); });
}

std::string with_header(const std::string& header, const std::string& data = "") {
  std::string bytes = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<char>(header.size()), 0};
  return bytes + header + data;
}

ReferenceFile reference_file(const std::string& kind, const std::string& name) {
  for (const ReferenceFile& file : reference_files(kind)) {
    if (file.name == name) return file;
  }
  ADD_FAILURE() << name;
  return {};
}

TEST(Npy, ReadsEveryTypeOrderAndVersion) {
  const TemporaryFolder folder;
  for (const ReferenceFile& file : reference_files("npy")) {
    const std::string path = folder.add("x.npy", file.bytes);
    if (file.name.ends_with("u8") && file.bytes.find("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF") != std::string::npos) continue;
    expect_array(io::read_npy(path), file.arrays[""], file.name);
  }
}

TEST(Npy, WritesTheBytesThatNumPyWrites) {
  const TemporaryFolder folder;
  for (const char* name : {"<u1", "<i4", "<i8", "<f4", "<f8", "<b1", "three axes in Fortran order", "a scalar",
                           "one axis", "no elements"}) {
    const ReferenceFile file = reference_file("npy", name);
    const Array array = io::read_npy(folder.add("in.npy", file.bytes));
    io::write_npy(folder.path("out.npy"), array);
    const std::string expected =
        std::string(name).starts_with("three") ? reference_file("npy", "version 1").bytes : file.bytes;
    EXPECT_EQ(content_of(folder.path("out.npy")), expected) << name;
  }
}

TEST(Npy, WritesViewsAndBfloat16ByTheirValues) {
  const TemporaryFolder folder;
  const Array x = {{1, 2, 3}, {4, 5, 6}};
  io::write_npy(folder.path("x.npy"), permute(x, {1, 0}));
  EXPECT_EQ(io::read_npy(folder.path("x.npy")).to_vector<float>(), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  io::write_npy(folder.path("x.npy"), astype(x, DType::kBFloat16));
  const Array back = io::read_npy(folder.path("x.npy"));
  EXPECT_EQ(back.dtype(), DType::kFloat32);
  EXPECT_EQ(back.to_vector<float>(), x.to_vector<float>());
}

TEST(Npy, RefusesEveryTruncationAndMoreData) {
  for (const ReferenceFile& file : reference_files("npy")) {
    for (std::size_t n = 0; n < file.bytes.size(); ++n) {
      EXPECT_NE(refusal(file.bytes.substr(0, n)), "no error") << file.name << ": " << n;
    }
    EXPECT_PRED2(contains, refusal(file.bytes + "x"), "keep one array in one file");
  }
}

TEST(Npy, SaysWhatIsWrong) {
  const auto expect = [](const std::string& bytes, const std::string& part) {
    EXPECT_PRED2(contains, refusal(bytes), part);
    EXPECT_TRUE(refusal(bytes).starts_with("read_npy: 'x': ")) << refusal(bytes);
  };
  const auto header = [&](const std::string& text) { return with_header(text, std::string(8, '\0')); };
  const std::string rest = ", 'fortran_order': False, 'shape': (2,)}";
  expect("PNG", "does not begin with \\x93NUMPY");
  expect(std::string("\x93NUMPY\x04\0\0\0\0\0", 12), "NPY version 4, and 1 to 3 are known");
  expect(with_header("{}").substr(0, 11), "the file ends in its header; it was cut off: copy it again");
  expect(header("{'descr': '|O'" + rest), "is Python objects, which can run code and are not read");
  expect(header("{'descr': '<U4'" + rest), "element type '<U4' is not a number type of 1 to 8 bytes");
  expect(header("{'descr': '<c8'" + rest), "is not a number type");
  expect(header("{'descr': [('a', '<f4')]" + rest), "a structured array, which has no single element type");
  expect(header("{'descr': '<f4', 'shape': (2,)}"), "'fortran_order' or 'shape' is not there");
  expect(header("{'descr': '<f4', 'x': 1" + rest), "the key 'x' is not known");
  expect(header("{'descr': '<f4' 'fortran_order'"), "'}' is missing at byte");
  expect(header("{'descr': <f4" + rest), "a name in quotes is missing at byte 10");
  expect(header("{'descr': '<f4"), "a quote does not close");
  expect(header("{'descr': '<f4', 'fortran_order': 0"), "True or False is missing");
  expect(header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, -1)}"), "no size at byte");
  expect(header("{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}"), "')' is missing");
  expect(header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}"), "no size at byte");
  expect(header("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 8589934592)}"),
         "the shape [4294967296, 8589934592] overflows or has more than 16 axes; the file is damaged");
  expect(header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2)}"), "16 axes");
  expect(header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}"),
         "shape [3] of '<f4' takes 12 bytes of data, and there are 8; the file was cut off: copy it again");
  expect(with_header("{'descr': '<u8', 'fortran_order': False, 'shape': (1,)}", std::string(8, '\xFF')),
         "the integer 18446744073709551615 does not fit int64; save the array as int64 or float64");
}

TEST(Npz, ReadsStoredDeflatedAndWide) {
  const TemporaryFolder folder;
  const std::vector<ReferenceFile> files = reference_files("npz");
  ASSERT_EQ(files.size(), 3U);
  for (const ReferenceFile& file : files) {
    const auto arrays = io::read_npz(folder.add("x.npz", file.bytes));
    ASSERT_EQ(arrays.size(), file.arrays.size()) << file.name;
    for (const auto& [name, array] : arrays) expect_array(array, file.arrays[name], file.name + ": " + name);
  }
}

TEST(Npz, RefusesEveryTruncation) {
  for (const ReferenceFile& file : reference_files("npz")) {
    for (std::size_t n = 0; n < file.bytes.size(); ++n) {
      EXPECT_NE(npz_refusal(file.bytes.substr(0, n)), "no error") << file.name << ": " << n;
    }
  }
}

TEST(Npz, SaysWhatIsWrong) {
  const ReferenceFile stored = reference_file("npz", "stored"), deflated = reference_file("npz", "deflated");
  constexpr std::size_t kEnd = 22;
  const std::size_t end = deflated.bytes.size() - kEnd;
  std::uint32_t directory = 0;
  std::memcpy(&directory, deflated.bytes.data() + end + 16, 4);
  const auto changed = [&](std::string bytes, std::size_t at, const std::string& to) {
    return bytes.replace(at, to.size(), to);
  };
  const auto expect = [](const std::string& bytes, const std::string& part) {
    EXPECT_PRED2(contains, npz_refusal(bytes), part);
    EXPECT_TRUE(npz_refusal(bytes).starts_with("read_npz: 'x': ")) << npz_refusal(bytes);
  };
  expect("", "it is shorter than an empty one");
  expect(std::string(100, ' '), "its directory is not there");
  expect(changed(deflated.bytes, end + 8, std::string("\xFF\xFF\xFF\xFF", 4)), "its zip64 locator is not there");
  // A locator of zip64 that points to the file's begin.
  std::string wide = deflated.bytes;
  wide.insert(end, "PK\x06\x07" + std::string(16, '\0'));
  expect(changed(wide, end + 20 + 8, "\xFF\xFF\xFF\xFF"), "its zip64 directory is not there");
  expect(changed(deflated.bytes, end + 10, std::string("\xFE\xFF", 2)),
         "its directory is shorter than the members that it claims");
  expect(changed(deflated.bytes, end + 16, std::string("\xFE\xFF\xFF\xFF", 4)), "it ends too early");
  expect(changed(deflated.bytes, end + 16, std::string("\0\0\0\0", 4)), "an entry of its directory is not right");
  expect(changed(deflated.bytes, directory + 8, "\x01"), "member 'x.npy' is encrypted");
  expect(changed(deflated.bytes, directory + 10, "\x0C"), "is packed by method 12, and only stored (0) and deflated");
  expect(changed(deflated.bytes, directory + 16, "\x12\x34"), "member 'x.npy' fails its checksum");
  expect(changed(deflated.bytes, directory + 24, "\xF7"), "member 'x.npy' does not unpack");
  expect(changed(deflated.bytes, directory + 24, "\xF7\xFF\xFF\x7F"), "member 'x.npy' does not unpack");
  expect(changed(deflated.bytes, directory + 42, "\x05"), "member 'x.npy' is not where it should be");
  expect(changed(deflated.bytes, directory + 46, "xxnpy"), "member 'xxnpy' is no array");
  expect(changed(deflated.bytes, directory + 20, "\xFE\xFF\xFF\x7F"), "it ends too early");
  std::memcpy(&directory, stored.bytes.data() + stored.bytes.size() - kEnd + 16, 4);
  expect(changed(stored.bytes, directory + 24, "\xF7"), "member 'x.npy' has two sizes");
}

TEST(Npz, RefusesMembersThatShareOneStream) {
  // As "A better zip bomb" (Fifield 2019) has it: many entries of a directory over the same few bytes.
  const ReferenceFile file = reference_file("npz", "zip64 sizes, a comment");
  std::string bytes = file.bytes;
  const std::size_t end = bytes.rfind("PK\x05\x06");
  std::uint32_t directory = 0, size = 0;
  std::memcpy(&size, bytes.data() + end + 12, 4);
  std::memcpy(&directory, bytes.data() + end + 16, 4);
  const std::string entry = bytes.substr(directory, size);
  std::string many;
  for (int i = 0; i < 100; ++i) many += entry;
  bytes.insert(directory, many);
  const std::size_t moved = end + many.size();
  const std::uint32_t larger = size + static_cast<std::uint32_t>(many.size());
  bytes.replace(moved + 10, 2, std::string("\x65\x00", 2));
  std::memcpy(bytes.data() + moved + 12, &larger, 4);
  EXPECT_PRED2(contains, npz_refusal(bytes), "its members overlap");
}

TEST(Npz, RefusesEqualNames) {
  const ReferenceFile file = reference_file("npz", "stored");
  std::string bytes = file.bytes;
  // "x.npy" and "empty.npy" and "y_train.npy": a local name does not count, the directory's do.
  const std::size_t directory = bytes.find("PK\x01\x02");
  std::string entry = bytes.substr(directory, bytes.find("PK\x01\x02", directory + 4) - directory);
  bytes.insert(directory, entry);
  const std::size_t end = bytes.size() - 22;
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data() + end + 12, 4);
  size += static_cast<std::uint32_t>(entry.size());
  std::memcpy(bytes.data() + end + 12, &size, 4);
  bytes[end + 10] = 4;
  const std::string text = npz_refusal(bytes);
  EXPECT_TRUE(contains(text, "two members are named 'x'") || contains(text, "overlap")) << text;
}

TEST(InflateRaw, TakesExactlyWhatWasSaid) {
  std::string text(5000, 'a'), packed(100, '\0'), out(6000, '\0');
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  EXPECT_TRUE(io::inflate_raw(packed, out.data(), 5000));
  EXPECT_EQ(out.substr(0, 5000), text);
  EXPECT_FALSE(io::inflate_raw(packed, out.data(), 4999));
  EXPECT_FALSE(io::inflate_raw(packed, out.data(), 5001));
  EXPECT_FALSE(io::inflate_raw(packed, out.data(), 0));
  EXPECT_FALSE(io::inflate_raw(packed + "x", out.data(), 5000));
  EXPECT_FALSE(io::inflate_raw(packed.substr(0, packed.size() - 1), out.data(), 5000));
}

}  // namespace
}  // namespace pellucid
