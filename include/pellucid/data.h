// From tables and pictures to what a network takes: columns become numbers, by rules fitted on training rows alone and
// kept as JSON beside the weights; rows are split into parts.
//
// Rows that are not in their table are an Error everywhere. Nothing here depends on the number of threads or on chance
// beyond the seed that is given.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pellucid/array.h"
#include "pellucid/io.h"
#include "pellucid/schema.h"

namespace pellucid::data {

using io::Column;
using io::Table;

/// Positions of rows in a table, from 0.
using Rows = std::vector<std::int64_t>;
/// 0, 1, ..., count - 1.
Rows all_rows(std::int64_t count);

// ---- What is to be predicted ----------------------------------------------------------------------------------------

enum class Task { kClassification, kRegression };
/// "classification" or "regression".
std::string_view name_of(Task task);

struct TargetGuess {
  std::string name;
  std::string reason;  // "by its name", "the last column"
};
/// The column that is most likely the target: one named target, label, class, y, outcome, response and the like; else
/// one with a name that outcomes often have (churn, status, price, sale_price, ...), at the table's ends before others;
/// else the last. Case and separators do not count; columns that are the same in all rows, or text that differs in
/// each, are passed over. A guess to be shown, not to be acted on in silence. Throws Error for a table without columns.
TargetGuess guess_target(const Table& table);
/// Text, two distinct numbers, or at most 20 distinct whole numbers in five times as many rows: classification.
Task guess_task(const Column& target);

/// The column to be predicted, and how its values stand to the network's output.
struct Target {
  std::string name;
  Task task = Task::kRegression;
  bool text = false;                 // a text column in the training table
  std::vector<std::string> classes;  // classification: ascending, as numbers where all are numbers
  double mean = 0, scale = 1;        // regression: the network predicts (y - mean) / scale
  double low = 0, high = 0;          // regression: the range seen; predictions are kept within it
  /// Regression on a log scale: the network predicts (log y - log_mean) / log_scale instead. Where log_scale is 0, not.
  double log_mean = 0, log_scale = 0;
  bool is_log() const { return log_scale > 0; }
};

/// The rows that have a target; the others cannot be learned from.
Rows labelled_rows(const Table& table, const std::string& target);

/// Classes are those of all labelled rows; mean, standard deviation and range are those of `training`. With `log`,
/// numbers are put on a log scale. Throws Error: no such column, no labelled row, one class only, as many classes as
/// rows; where the task is regression, text or a number beyond 1e150; with `log`, classes or a number not above 0.
Target fit_target(const Table& table, const std::string& name, std::optional<Task> task,
                  std::span<const std::int64_t> training, bool log = false);

/// From standardised values of any shape to float64 in units of the target; they are not kept within its range.
Array in_units(const Target& target, const Array& standardised);
/// The third standardised moment, mean (x - mean)^3 / deviation^3, of the numbers that are not missing: 0 where they
/// lie evenly about their mean, above 0 where some are far above it; 0 for fewer than three, or equal ones.
double skewness(std::span<const double> numbers);
/// True where all numbers are above 0, their skewness is above 2 and that of their logarithms less than half of it:
/// then a log scale may serve.
bool suits_log(std::span<const double> numbers);

/// Classification: int64 (rows), a class each. Regression: float32 (rows, 1), standardised. Throws Error where a row's
/// value is missing, not a known class, not a number, on a log scale not above 0, or too large for float32 once
/// standardised.
Array encode_target(const Target& target, const Table& table, std::span<const std::int64_t> rows);
/// The same class numbers on the host; -1 where missing. Empty for regression.
std::vector<std::int32_t> class_numbers(const Target& target, const Table& table);

/// What the network's output (rows, classes: probabilities; or rows, 1: standardised values) says, as a table: the
/// column named as the target, and for classification a column probability_CLASS for each class. Of (rows, 3) for
/// regression the last two are bounds: the columns TARGET_lower and TARGET_upper.
Table decode_predictions(const Target& target, const Array& output);

// ---- Splits ---------------------------------------------------------------------------------------------------------

/// Disjoint rows, each part ascending.
struct Split {
  Rows training, held_out;
};

/// Holds out `fraction` of the rows, chosen by the seed. With `classes` (one for each row of the table, -1 for none)
/// each class gives its share to within one row; a class of one row stays in training. Beyond that, at least one row
/// stays in each part where there are two. The choice for a row depends on the seed and the row's position, not on
/// order or threads. Throws Error where the fraction is not in [0, 1), or `classes` has none for a row.
Split split(std::span<const std::int64_t> rows, double fraction, std::uint64_t seed,
            std::span<const std::int32_t> classes = {});
/// `count` splits whose held-out parts are disjoint and together all rows. Throws Error where count < 2 or above the
/// rows.
std::vector<Split> folds(std::span<const std::int64_t> rows, int count, std::uint64_t seed,
                         std::span<const std::int32_t> classes = {});

/// The same with whole groups, `groups` having one for each row of the table and -1 for a row that is one of its own:
/// rows of one group stay together, and the part held out comes as near to its share as that allows. Throws Error as
/// split does, and where a fraction is to be held out and there is one group alone.
Split split_groups(std::span<const std::int64_t> rows, double fraction, std::uint64_t seed,
                   std::span<const std::int32_t> groups);
std::vector<Split> fold_groups(std::span<const std::int64_t> rows, int count, std::uint64_t seed,
                               std::span<const std::int32_t> groups);
/// Holds out the newest rows by `times`, one for each row of the table; rows of the oldest time held out stay together
/// with those before them, and rows without a time (NaN) count as old. Throws Error as split does, and where a fraction
/// is to be held out and all times are the same.
Split split_newest(std::span<const std::int64_t> rows, double fraction, std::span<const double> times);

/// The values of a column as groups for these: a number for each, -1 where missing.
std::vector<std::int32_t> groups_of(const Table& table, const std::string& column);
/// The values of a column as times: numbers, or dates and times in one of the formats that are known, as days. Throws
/// Error naming the row where a text is no date as the others are.
std::vector<double> times_of(const Table& table, const std::string& column);

// ---- Preprocessing of tables ----------------------------------------------------------------------------------------

enum class Scaling {
  kRobust,  // (x - median) / (quartile distance), or half the range where that is 0; then smoothly clipped to (-3, 3):
            // z / sqrt(1 + (z / 3)^2). As in RealMLP (Holzmueller, Grinsztajn, Steinwart 2024, "Better by default").
            // Where one value in 200 on a side has |z| > 5, 3 asinh(z / 3) instead: tails go on, as their logarithm.
  kStandard,   // (x - mean) / standard deviation
  kQuantile,   // the quantile of the normal distribution at x's share among the training values, within (-2.67, 2.67)
  kNone,       // x; 0 where missing
  kUnclipped,  // as kStandard; where tails are so long that kRobust takes their logarithm, as kRobust
};

struct PreprocessOptions {
  Scaling scaling = Scaling::kRobust;
  /// Columns to leave out.
  std::vector<std::string> ignore = {};
  /// The most values of a category that get an input of their own, and how often one must be seen where there are many.
  int max_levels = 64;
  int min_count = 8;
  /// Categories of more values than this become kEmbedded: up to `max_embedded` of them, each seen `min_embedded` times
  /// or more.
  int embed_above = 1 << 30;
  int max_embedded = 1024;
  int min_embedded = 3;
  /// What the columns are and are for. Absent: as their values in the training rows say, with nothing refused.
  std::optional<Schema> schema = {};
};

/// One number that is a part of a column's value, and how it is brought to scale.
struct Number {
  double center = 0;       // subtracted; also what a missing value counts as
  double spread = 1;       // divided by
  bool clip = true;        // smoothly, to (-3, 3)
  bool log_tails = false;  // instead of that: 3 asinh(z / 3)
  /// kQuantile: training values at the shares (i + 1/2) / 128, ascending; center and spread are then not used, and a
  /// missing value counts as the median. Empty otherwise.
  std::vector<double> knots = {};
};

/// How one column of the table becomes inputs of the network.
struct Feature {
  enum class Kind {
    kNumber,    // one input
    kBinary,    // one input: -1 and 1 for the two levels, 0 for anything else
    kBoolean,   // the same, where the levels are words for false and true: any such word, in any case, is understood
    kCategory,  // an input for each level, 1 where the value is that level; all 0 where missing
    kEmbedded,  // one input, the level's number from 1; 0 for any other value and where missing
    kDate,      // dates and times: an input for each of `parts`
    kText,      // words: each is counted, by a hash of it, in one of `buckets` inputs
  };
  std::string column;
  Kind kind = Kind::kNumber;
  std::vector<Number> numbers;      // kNumber: one; kDate: one for each part
  std::vector<std::string> parts;   // kDate: some of "day" (since 1970), "month", "weekday", "hour"
  std::string format;               // kDate: a name of data/dates.h, "iso" for ISO 8601 in UTC
  std::vector<std::string> levels;  // kBinary, kCategory, kEmbedded: ascending; kBoolean: false, true
  /// kCategory, kEmbedded: rare values were folded in training. For kCategory an input after the levels is 1 for a
  /// value that is none of them; for kEmbedded training has seen the number 0. Where false, that was never so in
  /// training.
  bool other_input = false;
  int buckets = 0;             // kText
  bool missing_input = false;  // a last input that is 1 where the value is missing, as it was in training
  std::int64_t inputs() const;
};

/// All that stands between a table and a network.
struct Preprocessing {
  Target target;
  std::vector<Feature> features;                             // in the order of the table's columns
  std::vector<std::pair<std::string, std::string>> dropped;  // column, reason
  std::vector<std::string> missing;                          // as in io::CsvOptions
  std::vector<std::string> missing_numbers;
  Schema schema = {};  // the one that was given, or found in the training rows; of no columns in older files

  std::int64_t inputs() const;
  /// "age", "age is missing", "job=fixed", ...: one for each input.
  std::vector<std::string> input_names() const;
  /// The inputs that are numbers of categories (kEmbedded), and how many numbers each can be: levels and 0.
  struct Embedded {
    std::int64_t input = 0, count = 0;
  };
  std::vector<Embedded> embedded() const;
};

/// Fits to the training rows alone; what a schema says counts more than what the values look like, and columns that it
/// does not have are dropped. Columns that do not change, and identifiers (text that differs in every row;
/// numbers that do, in a column named id or index), are dropped, and the reason is kept. `csv` says how the table was
/// read. Throws Error where no column is left, no row is given, a column of the schema or one to be ignored is not
/// there, or a column is text and the schema says numbers.
Preprocessing fit_preprocessing(const Table& table, const Target& target, std::span<const std::int64_t> training,
                                const PreprocessOptions& options = {}, const io::CsvOptions& csv = {});

/// How to read a new table for these columns: categories as text even where they look like numbers, numbers as numbers.
io::CsvOptions csv_options(const Preprocessing& preprocessing);

struct Encoded {
  Array x;  // float32 (rows, inputs)
  /// Columns that held values never seen in training, or missing where none was: (column, number of rows).
  std::vector<std::pair<std::string, std::int64_t>> unseen, newly_missing;
};

/// The rows as inputs. Columns are found by name, in any order; others are ignored. Throws Error naming the columns
/// that are not there, and where a column of numbers is text now; and naming row and column where a value is one that
/// the schema refuses.
Encoded encode(const Preprocessing& preprocessing, const Table& table, std::span<const std::int64_t> rows);

/// JSON with sorted keys; doubles read back the same.
std::string to_json(const Preprocessing& preprocessing);
/// Throws Error where the text is not what to_json writes.
Preprocessing preprocessing_from_json(const std::string& json);

// ---- Pictures -------------------------------------------------------------------------------------------------------

/// Pictures and their classes; `images` is undefined where there are none.
struct PictureSet {
  Array images;                         // uint8 (n, height, width) or (n, height, width, channels)
  Array labels;                         // int64 (n); undefined where read_images gave the pictures
  std::vector<std::string> files = {};  // PNG and JPEG: where each came from, below the path that was read
  std::int64_t resized = 0;             // and how many were brought to another size
  std::int64_t size() const { return images.defined() ? images.shape()[0] : 0; }
};
struct Pictures {
  PictureSet training, test;
  std::vector<std::string> classes;  // names of class folders; lines of labels.txt; else "0", "1", ...
};

/// How PNG and JPEG files are read. Other files are taken as they are.
struct PictureOptions {
  /// (height, width) or (height, width, channels) that all are brought to: resized (see io/image.h), grey to 3 equal
  /// channels, colours to their brightness. Without a size, pictures that differ in size are an Error; without
  /// channels, grey ones get three where others have colours.
  Shape shape = {};
};

/// What a path holds, seen from its first bytes and names.
enum class Source { kTable, kPictures };
/// A folder with IDX files, with PNG or JPEG files or with folders of them, a PNG or JPEG file, or an NPZ file with an
/// array of three axes or more: pictures. Any other file: a table. Throws Error for what is not there, and for a folder
/// without any of these.
Source recognise(const std::string& path);

/// A folder of IDX files named as MNIST's (train-images-idx3-ubyte, t10k-labels-idx1-ubyte.gz, ...; "test" for "t10k"),
/// or an NPZ file with x_train, y_train, x_test, y_test (or train_images, ...; or x, y alone), or a folder with a
/// folder of PNG and JPEG files for each class (or folders train and test, else val, with one for each class in them).
/// Files are taken in the order of their names; hidden ones and those of other kinds are passed over.
///
/// Throws Error: files missing or there twice, images and labels that differ in number, images that are no bytes,
/// labels that are negative, beyond the names, or 65536 and above; one class alone; a class in the test part that
/// training does not have; PNG and JPEG files that are damaged or differ in size.
Pictures read_pictures(const std::string& path, const PictureOptions& options = {});

/// A PNG or JPEG file, or all in a folder (not in folders within it), without classes. Throws Error as read_pictures.
PictureSet read_images(const std::string& path, const PictureOptions& options = {});
/// True where read_images has something to read at `path`.
bool holds_images(const std::string& path);

/// All that stands between pictures and a network.
struct PicturePreprocessing {
  Shape shape;                 // of one picture: (height, width) or (height, width, channels)
  double mean = 0, scale = 1;  // the network gets (pixel - mean) / scale
  std::vector<std::string> classes;
};
/// Mean and standard deviation of all pixels of the training pictures. Throws where there are none, or a test label is
/// larger than all labels of training.
PicturePreprocessing fit_pictures(const Pictures& pictures);
std::string to_json(const PicturePreprocessing& preprocessing);
PicturePreprocessing picture_preprocessing_from_json(const std::string& json);
/// Which of the two a JSON text describes. Throws Error for neither.
Source source_of(const std::string& json);

}  // namespace pellucid::data
