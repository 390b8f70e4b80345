// Every parser under damage: files cut anywhere and changed at random are read or refused with an Error, and do nothing
// else. For use under the sanitizers; PELLUCID_MUTATIONS=N tries N changes of each file rather than a few.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/idx.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "pellucid/data.h"
#include "pellucid/io.h"
#include "support/files.h"

namespace pellucid {
namespace {

using Parser = std::function<void(const std::string&)>;

// In memory of exactly its size, so that one byte too far is seen.
io::FileBytes exact(const std::string& text) {
  std::unique_ptr<char[]> data(new char[text.size()]);
  text.copy(data.get(), text.size());
  return {std::move(data), text.size()};
}

// One change of the kind that breaks parsers: bits, numbers at their limits, parts lost, doubled or moved.
void mutate(std::string& text, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(random() % n); };
  const std::size_t at = below(text.size());
  const std::size_t length = std::min(text.size() - at, 1 + below(random() % 4 == 0 ? 64 : 8));
  switch (random() % 9) {
    case 0:
      if (!text.empty()) text[at] ^= static_cast<char>(1U << (random() % 8));
      break;
    case 1:
      if (!text.empty()) text[at] = static_cast<char>(random());
      break;
    case 2: {
      constexpr std::uint64_t kNumbers[] = {0,
                                            1,
                                            0x7F,
                                            0x80,
                                            0xFF,
                                            0x7FFF,
                                            0xFFFF,
                                            0x7FFFFFFF,
                                            0x80000000,
                                            0xFFFFFFFF,
                                            0x7FFFFFFFFFFFFFFF,
                                            0x8000000000000000,
                                            0xFFFFFFFFFFFFFFFF};
      const std::uint64_t number = kNumbers[random() % std::size(kNumbers)];
      const std::size_t size = std::min<std::size_t>(text.size() - at, std::size_t{1} << (random() % 4));
      std::memcpy(text.data() + at, &number, size);
      break;
    }
    case 3:
      text.erase(at, length);
      break;
    case 4:
      text.insert(at, text.substr(at, length));
      break;
    case 5:
      text.insert(below(text.size() + 1), text.substr(at, length));
      break;
    case 6: {
      constexpr const char* kParts[] = {"\"",
                                        "\"\"",
                                        ",",
                                        "\n",
                                        "\r",
                                        "-",
                                        "1e999",
                                        "nan",
                                        "[",
                                        "]",
                                        "{",
                                        "}",
                                        ":",
                                        "null",
                                        "18446744073709551615",
                                        "-1",
                                        "'",
                                        "(",
                                        ")",
                                        "\\u0000",
                                        "PK\x01\x02",
                                        "\x1f\x8b\x08",
                                        " ",
                                        "\xC3",
                                        "0.00000000000000000000000001"};
      text.insert(below(text.size() + 1), kParts[random() % std::size(kParts)]);
      break;
    }
    case 7:
      text.resize(at);
      break;
    default:
      text.insert(at, length, '\0');
  }
}

void damage(const std::string& name, const std::string& good, const Parser& parse) {
  const char* wanted = std::getenv("PELLUCID_MUTATIONS");
  const long changes = wanted != nullptr ? std::atol(wanted) : 400;
  const auto attempt = [&](const std::string& text, const std::string& what) {
    try {
      parse(text);
    } catch (const Error& error) {
      EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << name << ": " << error.what();
    } catch (const std::exception& error) {
      ADD_FAILURE() << name << ", " << what << ": " << error.what();
    }
  };
  attempt(good, "unchanged");
  for (std::size_t n = 0; n < good.size(); ++n) attempt(good.substr(0, n), "cut at " + std::to_string(n));
  std::mt19937_64 random(std::hash<std::string>()(name));
  for (long i = 0; i < changes; ++i) {
    std::string text = good;
    for (std::uint64_t k = random() % 4 + 1; k-- > 0;) mutate(text, random);
    attempt(text, "change " + std::to_string(i));
  }
}

// Reads every element, so that a wrong pointer is seen.
void touch(const io::RawArray& raw) {
  const Array array = raw.to_array();
  EXPECT_EQ(array.to_vector<double>().size(), static_cast<std::size_t>(array.size()));
}

TEST(Damage, Csv) {
  const std::string text =
      "a,\"b "
      "\"\"x\"\"\",c;d,e\r\n1,\"two\nlines\",NA,-1.5e3\r\n\r\n02,,x,.5\r\n1234567890123456789,\xC3\xA9,\"\",inf\n";
  std::string numbers = "x;y\tz\n";
  for (int i = 0; i < 30; ++i) numbers += std::to_string(i) + "," + std::to_string(i * i) + ";1.5\t\"7\"\n";
  for (const std::string& good : {text, numbers}) {
    for (const bool header : {true, false}) {
      damage("csv", good, [&](const std::string& damaged) {
        const io::FileBytes bytes = exact(damaged);
        const io::Table table = io::parse_csv(bytes.view(), {.header = header, .text = {"e"}, .numeric = {"a"}});
        for (const io::Column& column : table.columns) ASSERT_EQ(column.size(), table.rows);
        const io::Table again = io::parse_csv(io::to_csv(table));
        EXPECT_EQ(again.rows, table.rows);
        EXPECT_EQ(again.columns.size(), table.columns.size());
      });
    }
  }
}

TEST(Damage, Idx) {
  for (const ReferenceFile& file : reference_files("idx")) {
    damage(file.name, file.bytes, [](const std::string& text) { touch(io::parse_idx(exact(text), "x").array); });
  }
}

TEST(Damage, Gzip) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += std::to_string(i * i) + (i % 7 == 0 ? "aaaaaaaa" : ",");
  damage("gzip", gzip(text) + gzip("more"), [](const std::string& damaged) {
    const io::FileBytes bytes = exact(damaged);
    io::gunzip(bytes.view(), "x", "test");
  });
}

TEST(Damage, Npy) {
  for (const ReferenceFile& file : reference_files("npy")) {
    damage(file.name, file.bytes, [](const std::string& text) {
      const io::FileBytes bytes = exact(text);
      touch(io::parse_npy(bytes.view(), "read_npy: 'x'"));
    });
  }
}

TEST(Damage, Npz) {
  for (const ReferenceFile& file : reference_files("npz")) {
    damage(file.name, file.bytes, [](const std::string& text) {
      const io::FileBytes bytes = exact(text);
      for (const auto& [name, array] : io::parse_npz(bytes.view(), "x")) touch(*array);
    });
  }
}

TEST(Damage, Safetensors) {
  for (const ReferenceFile& file : reference_files("safetensors")) {
    damage(file.name, file.bytes, [](const std::string& text) {
      const io::FileBytes bytes = exact(text);
      for (const auto& [name, array] : io::parse_safetensors(bytes.view(), "x").tensors) touch(array);
    });
  }
}

TEST(Damage, Preprocessing) {
  const io::Table table =
      io::parse_csv("n,c,d,b,y\n1,u,2024-01-01,k,p\n2,v,2024-02-03,l,q\n4,w,2024-02-03,l,p\n4,w,2024-02-03 10:00,,q\n");
  const data::Rows rows = data::all_rows(table.rows);
  const std::string good = data::to_json(data::fit_preprocessing(table, data::fit_target(table, "y", {}, rows), rows));
  damage("table", good, [&](const std::string& text) {
    const data::Preprocessing read = data::preprocessing_from_json(text);
    EXPECT_EQ(static_cast<std::int64_t>(read.input_names().size()), read.inputs());
    EXPECT_EQ(data::to_json(data::preprocessing_from_json(data::to_json(read))), data::to_json(read));
    data::encode(read, table, rows).x.to_vector<float>();
  });
  damage("pictures",
         data::to_json(data::PicturePreprocessing{.shape = {28, 28}, .mean = 1.5, .scale = 2, .classes = {"a", "b"}}),
         [](const std::string& text) { data::picture_preprocessing_from_json(text); });
}

}  // namespace
}  // namespace pellucid
