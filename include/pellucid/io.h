// Files: CSV tables, IDX, NPY and NPZ arrays, PNG and JPEG images, safetensors, and the model file. Nothing that is
// read here can run code.
//
// Every reader checks all that a file claims (sizes, offsets, types) before it allocates; what is wrong is thrown as an
// Error that names the file, the line or byte, and the remedy. Every writer writes beside the file's place, syncs and
// renames, so that a file is there whole or not at all, and throws Error where that fails. The same content gives the
// same bytes. Functions are safe to call from several threads at once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pellucid/array.h"
#include "pellucid/numbers.h"

namespace pellucid::io {

// ---- Tables ---------------------------------------------------------------------------------------------------------

/// One column of a table: numbers, or text held as codes of its distinct values.
struct Column {
  std::string name;
  bool text = false;
  Numbers numbers;                  // where not text; NaN where missing
  std::vector<std::int32_t> codes;  // where text; an index into `levels`, -1 where missing
  std::vector<std::string> levels;  // the distinct values in the order in which they first appear; UTF-8

  std::int64_t size() const { return static_cast<std::int64_t>(text ? codes.size() : numbers.size()); }
  bool missing(std::int64_t row) const;
  std::int64_t count_missing() const;
  /// The field as text: a number with the fewest digits that read back the same, "" where missing.
  std::string field(std::int64_t row) const;
};

/// Columns of one length, each with a name of its own.
struct Table {
  std::string source;  // the file that it came from, for messages
  std::vector<Column> columns;
  std::int64_t rows = 0;
  std::vector<std::string> notes;  // what the reader decided and a person may want to know, one line each

  /// The column's position, or -1.
  std::int64_t find(std::string_view name) const;
  /// Throws Error that names the columns there are, the most similar one first.
  const Column& at(std::string_view name) const;
};

/// How far reading has come.
struct CsvProgress {
  std::uint64_t bytes = 0, total = 0;  // of the file as it lies on the disk
  std::int64_t rows = 0;
  bool done = false;  // the last call
};

/// How a CSV file is read. An empty field is missing everywhere.
struct CsvOptions {
  /// ',', ';', tab, '|' or another ASCII character; 0: whichever of these four splits the first lines evenly.
  char separator = 0;
  /// False: the first line is data, and columns are named column_1, column_2, ...
  bool header = true;
  /// Fields that are missing in every column, beside the empty field.
  std::vector<std::string> missing = {};
  /// Fields that are missing in a column where all other fields are numbers; elsewhere they are text like any other.
  /// Blanks and "nan" are always so. A note says where this was done.
  std::vector<std::string> missing_numbers = {"NA", "N/A", "n/a", "null", "NULL", "None", "?", "-", "."};
  /// Columns that stay text even where all fields are numbers. Names that are not in the file are ignored.
  std::vector<std::string> text = {};
  /// Columns that must be numbers: a field that is not one is an Error with its line. Names not in the file are
  /// ignored.
  std::vector<std::string> numeric = {};
  /// Called where reading takes more than a second, about ten times in each, and at the end; from the calling thread.
  std::function<void(const CsvProgress&)> progress = {};
};

/// Reads a file, plain or compressed by gzip or zstd, of UTF-8 text in the manner of RFC 4180: fields may stand in
/// quotes, with quotes in them doubled and line breaks kept; lines end in LF, CRLF or CR; a byte-order mark is skipped;
/// blank lines are skipped where there is more than one column. A column is numeric where every field is a number or
/// missing. Numbers are decimal ("1", "-1.5", ".5", "1e-3", "inf"), blanks around them allowed; where the separator is
/// not ',', "1,5" is one too.
///
/// Throws Error: unreadable or empty file, no rows, lines with more or fewer fields than the header, quotes that do not
/// close, text after a closing quote, equal column names, NUL bytes, UTF-16 or UTF-32, bytes that are not UTF-8, a zip
/// archive or Parquet file, a separator that cannot be one.
///
/// A plain file is mapped and parsed by all threads; it must not shrink meanwhile. Result and messages do not depend on
/// their number.
Table read_csv(const std::string& path, const CsvOptions& options = {});
/// The same over text in memory; `source` stands for the file in messages.
Table parse_csv(std::string_view text, const CsvOptions& options = {}, const std::string& source = "<text>");

/// What a table's file is, by its first bytes.
enum class TableFile { kCsv, kNpz, kParquet, kArrow };
/// Parquet begins with PAR1; Arrow IPC with ARROW1 (a file, Feather 2 too) or four bytes 255 (a stream); NPZ is a zip
/// archive with a name that ends in .npz. Anything else is CSV. Throws Error where the file cannot be read.
TableFile table_file(const std::string& path);
/// True where Parquet and Arrow IPC can be read: the library was built with its Arrow part (`make build ARROW=1`).
bool reads_arrow();

/// Reads any of them. Of CsvOptions the columns that are text or numbers count for all, the rest for CSV alone.
///
/// NPZ: arrays of one axis are columns under their names; of two axes, columns x_0, x_1, ... of the array x. All have
/// the same number of rows. Parquet and Arrow IPC: numbers, booleans (0 and 1), decimals and dictionaries of them are
/// numbers; text is text; dates and timestamps are text by ISO 8601, times of day "13:30:05"; null is missing.
///
/// Throws Error as read_csv and read_npz do; for arrays of other axes or lengths; for Parquet and Arrow IPC where the
/// Arrow part is not there, the file is damaged, or a column is of another type (lists, structs, binary).
Table read_table(const std::string& path, const CsvOptions& options = {});

/// A CSV file of any size, read in pieces of a few megabytes: memory does not grow with the file. What a column holds
/// must be said in the options: those in `numeric` are numbers, those in `text` are text, others are passed over.
class CsvStream {
 public:
  /// Reads the header. Throws Error as read_csv does.
  explicit CsvStream(const std::string& path, const CsvOptions& options);
  CsvStream(CsvStream&&) noexcept;
  ~CsvStream();

  /// The file's columns, in their order.
  const std::vector<std::string>& columns() const;
  /// The next rows as tables of up to some thousand, in their order, one beside the other: fit to be worked on at the
  /// same time. Levels are those of each table alone. False, and no tables, where there are no more rows. Memory of the
  /// tables that are given is used again. Throws Error as read_csv does.
  bool next(std::vector<Table>& tables);
  /// The line of the file, from 1, in which a row stands, counted from 0. Ends the reading.
  std::int64_t line_of(std::int64_t row);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The same for any of read_table's files. A CSV file is a CsvStream; the record batches of Parquet and Arrow IPC are
/// read one after the other; of NPZ the stored arrays stay in the file, deflated ones are unpacked whole. Other than in
/// CSV, columns that no option names are there too.
class TableStream {
 public:
  /// Throws Error as read_table does.
  explicit TableStream(const std::string& path, const CsvOptions& options = {});
  TableStream(TableStream&&) noexcept;
  ~TableStream();

  /// As CsvStream's. Throws Error too where such a file has no rows at all.
  const std::vector<std::string>& columns() const;
  bool next(std::vector<Table>& tables);
  /// "'x.csv', line 7" or "'x.parquet', row 6", for messages: where a row stands, counted from 0. Ends the reading.
  std::string place_of(std::int64_t row);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Numbers with the fewest digits that read back the same, nothing where missing, quotes where needed, LF.
/// Throws Error where columns differ in length, or the separator cannot be one.
std::string to_csv(const Table& table, char separator = ',');
void write_csv(const std::string& path, const Table& table, char separator = ',');

/// The fewest digits that read back the same: "0.1", "1e+22", "3".
std::string to_text(double value);
std::string to_text(float value);

// ---- Arrays ---------------------------------------------------------------------------------------------------------

/// An IDX file (http://yann.lecun.com/exdb/mnist), plain or compressed by gzip: uint8, or int8 and int16 as int32,
/// int32, float32, float64. Throws Error: a bad magic number, no sizes or more than 16, sizes that overflow, less or
/// more data than the sizes say, a damaged gzip stream.
Array read_idx(const std::string& path);

/// An NPY file of version 1 to 3, C or Fortran order, either byte order: bool; int8, int16, uint16 as int32; uint32 and
/// uint64 as int64; uint8, int32, int64; float16 as float32, float32, float64. Throws Error for any other type (Python
/// objects and text among them), a damaged header, less or more data than the shape says, uint64 above 2^63 - 1.
Array read_npy(const std::string& path);
/// Version 1. A bfloat16 array is written as float32.
void write_npy(const std::string& path, const Array& array);
/// The arrays of an NPZ file by their names (without ".npy"), stored or deflated.
std::map<std::string, Array> read_npz(const std::string& path);

/// A PNG or JPEG file as uint8 (height, width) where it is grey and (height, width, 3) where it has colours. 16 bits
/// are brought to 8; what is transparent shows white; colour profiles are not looked at. Throws Error: neither of the
/// two, a damaged or cut-off file, a JPEG of four colours (print), more than 2^28 pixels.
Array read_image(const std::string& path);

/// Named arrays and a few words on them.
struct TensorFile {
  std::map<std::string, Array> tensors;
  std::map<std::string, std::string> metadata;
};

/// A safetensors file (https://github.com/huggingface/safetensors). F16 is read as float32; I8, I16, U16 as int32; U32,
/// U64 as int64. Throws Error: a header that is longer than the file or 100 MB, or no JSON object from '{' to '}' with
/// nothing but spaces behind it; names that are equal or hold NUL; a type, shape or range that is not right; sizes
/// whose product overflows in whatever order, zeros left out; ranges that overlap, leave gaps or do not end where the
/// file does.
TensorFile read_safetensors(const std::string& path);
/// Arrays of larger elements first, then by name: all stand aligned. Throws Error where a name is empty,
/// "__metadata__", not UTF-8 or with NUL, an array is undefined, or the header would be longer than what is read.
void write_safetensors(const std::string& path, const TensorFile& file);

// ---- The model file -------------------------------------------------------------------------------------------------

/// All that is needed to predict, and how it came about. The three descriptions are JSON texts; what they hold is the
/// business of nn, data and train.
struct ModelFile {
  std::map<std::string, Array> parameters;
  std::string network = "{}";
  std::string preprocessing = "{}";
  std::string training = "{}";
};

/// One safetensors file with the descriptions in its metadata, in canonical form (keys sorted, no blanks): the same
/// content gives the same bytes. Throws Error where a description is not JSON.
void save_model(const std::string& path, const ModelFile& model);
/// Throws Error, beside what read_safetensors throws, where the file is no Pellucid model or of a newer format.
ModelFile load_model(const std::string& path);

// ---- Places ---------------------------------------------------------------------------------------------------------

/// Throws Error where a file of `size` bytes could not be written at `path` now: its folder is not there or cannot be
/// written to, it is a folder, it is read-only, or the disk, a quota or the limit on files has no room for so many
/// bytes. For use before long work. Leaves nothing behind.
void check_writable(const std::string& path, std::uint64_t size = 0);

}  // namespace pellucid::io
