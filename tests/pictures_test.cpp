// Pictures from folders of IDX files and from NPZ files, and all the ways in which they do not fit together.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "io/npy.h"
#include "io/text.h"
#include "pellucid/data.h"
#include "support/files.h"
#include "support/message.h"
#include "support/npz.h"

namespace pellucid {
namespace {

namespace fs = std::filesystem;

std::string idx(const std::vector<std::uint32_t>& sizes, const std::string& data, char type = 8) {
  std::string bytes = {'\0', '\0', type, static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes += static_cast<char>(size >> shift);
  }
  return bytes + data;
}

std::string images(std::uint32_t count) { return idx({count, 2, 3}, std::string(count * 6, '\x10')); }
std::string labels(const std::string& numbers) { return idx({static_cast<std::uint32_t>(numbers.size())}, numbers); }

std::string npy(const Shape& shape, std::size_t bytes, DType dtype = DType::kUInt8) {
  return io::npy_bytes(dtype, shape, std::string(bytes, '\1'));
}

std::string refusal(const std::string& path) {
  return message_of([&] { data::read_pictures(path); });
}

TEST(Pictures, FashionMnistIsWhatItIs) {
  const std::string folder = "/usr/share/datasets/fashion-mnist";
  if (!fs::exists(folder)) GTEST_SKIP() << "no " << folder << ": apt-get install dataset-fashion-mnist";
  EXPECT_EQ(data::recognise(folder), data::Source::kPictures);
  const data::Pictures pictures = data::read_pictures(folder);
  EXPECT_EQ(pictures.training.images.shape(), (Shape{60000, 28, 28}));
  EXPECT_EQ(pictures.test.images.shape(), (Shape{10000, 28, 28}));
  EXPECT_EQ(pictures.training.images.dtype(), DType::kUInt8);
  EXPECT_EQ(pictures.training.labels.dtype(), DType::kInt64);
  EXPECT_EQ(pictures.classes, (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
  for (const auto* set : {&pictures.training, &pictures.test}) {
    std::vector<std::int64_t> counts(10);
    for (const std::int64_t label : set->labels.to_vector<std::int64_t>()) ++counts[static_cast<std::size_t>(label)];
    EXPECT_EQ(counts, std::vector<std::int64_t>(10, set->size() / 10));
  }
  const auto* pixels = pictures.test.images.data<std::uint8_t>();
  EXPECT_EQ(std::accumulate(pixels, pixels + pictures.test.images.size(), std::int64_t{0}), 573469082);
  // NumPy's mean and std of the training pixels.
  const data::PicturePreprocessing fitted = data::fit_pictures(pictures);
  EXPECT_DOUBLE_EQ(fitted.mean, 72.94035223214286);
  EXPECT_NEAR(fitted.scale, 90.02118235130526, 1e-10);
  EXPECT_EQ(fitted.shape, (Shape{28, 28}));
}

TEST(Pictures, FoldersMayBePlainCompressedAndNamed) {
  const TemporaryFolder folder;
  folder.add("train-images-idx3-ubyte", images(3));
  folder.add("train-images-idx3-ubyte.gz", "not looked at: the plain file comes first");
  folder.add("train-labels-idx1-ubyte.gz", gzip(labels(std::string("\0\1\2", 3))));
  folder.add("test-images.idx", images(2));
  folder.add("t10k-labels-idx1-ubyte", labels(std::string("\2\0", 2)));
  folder.add("labels.txt", "\xEF\xBB\xBFshirt\r\n shoe\t\r\nbag\n\n \n");
  folder.add("README", "text");
  EXPECT_EQ(data::recognise(folder.path()), data::Source::kPictures);
  const data::Pictures pictures = data::read_pictures(folder.path());
  EXPECT_EQ(pictures.classes, (std::vector<std::string>{"shirt", "shoe", "bag"}));
  EXPECT_EQ(pictures.training.images.shape(), (Shape{3, 2, 3}));
  EXPECT_EQ(pictures.training.labels.to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(pictures.test.size(), 2);
  const data::PicturePreprocessing fitted = data::fit_pictures(pictures);
  EXPECT_EQ(fitted.mean, 16);
  EXPECT_EQ(fitted.scale, 1);  // of pixels that are all the same
  const data::PicturePreprocessing kept = data::picture_preprocessing_from_json(data::to_json(fitted));
  EXPECT_EQ(data::to_json(kept), data::to_json(fitted));
  EXPECT_EQ(kept.classes, pictures.classes);
}

TEST(Pictures, ArchivesMayBeNamedAsKerasDoes) {
  const TemporaryFolder folder;
  const std::string labels = io::npy_bytes(DType::kInt32, {2, 1}, std::string("\1\0\0\0\0\0\0\0", 8));
  const std::string path =
      folder.add("cifar.NPZ", npz({{"x_train", npy({2, 4, 4, 3}, 96)}, {"y_train", labels}, {"info", npy({1}, 1)}}));
  EXPECT_EQ(data::recognise(path), data::Source::kPictures);
  const data::Pictures pictures = data::read_pictures(path);
  EXPECT_EQ(pictures.training.images.shape(), (Shape{2, 4, 4, 3}));
  EXPECT_EQ(pictures.training.labels.to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(pictures.test.size(), 0);
  EXPECT_EQ(pictures.classes, (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(data::fit_pictures(pictures).shape, (Shape{4, 4, 3}));
  const std::string alone = folder.add("alone.npz", npz({{"x", npy({2, 4, 4}, 32)}, {"y", labels}}));
  EXPECT_EQ(data::read_pictures(alone).training.size(), 2);
}

TEST(Pictures, SaysWhatIsNotThere) {
  const TemporaryFolder folder;
  const std::string none = folder.path("none");
  EXPECT_EQ(
      message_of([&] { data::recognise(none); }),
      "cannot open '" + none + "': No such file or directory; give a CSV file, an NPZ file or a folder of pictures");
  EXPECT_EQ(refusal(none),
            "read_npz: cannot open '" + none + "': No such file or directory; check its name and folder");
  EXPECT_EQ(message_of([&] { data::recognise(folder.path()); }),
            "'" + folder.path() +
                "' is a folder without IDX files (train-images-idx3-ubyte, ...) and without folders of PNG or JPEG "
                "files, one for each class; give such a folder, an NPZ file or a CSV file");
  EXPECT_EQ(data::recognise(folder.add("t.csv", "a\n1\n")), data::Source::kTable);
  EXPECT_EQ(refusal(folder.path()), "read_pictures: '" + folder.path() +
                                        "' has no training images; name them train-images-idx3-ubyte, or x_train "
                                        "in an NPZ file");
  folder.add("train-images-idx3-ubyte", images(1));
  EXPECT_EQ(refusal(folder.path()),
            "read_pictures: '" + folder.path() + "' has no training labels; put labels beside the others");
  folder.add("train-labels-idx1-ubyte", labels("\1"));
  folder.add("t10k-labels-idx1-ubyte", labels("\1"));
  EXPECT_EQ(refusal(folder.path()),
            "read_pictures: '" + folder.path() + "' has no test images; put images beside the others");
  EXPECT_EQ(message_of([] { data::fit_pictures({}); }),
            "fit_pictures: there are no training pictures; read a folder that has some");
  chmod(folder.path().c_str(), 0);
  EXPECT_TRUE(as_ordinary_user([&] {
    return message_of([&] { data::read_pictures(folder.path()); }) ==
               "read_pictures: cannot list the folder '" + folder.path() + "': Permission denied" &&
           contains(message_of([&] { data::read_pictures(folder.path("sub")); }), "Permission denied") &&
           contains(message_of([&] { data::recognise(folder.path("sub")); }), "Permission denied");
  }));
  chmod(folder.path().c_str(), 0755);
}

TEST(Pictures, TestLabelsAreOfClassesThatTrainingHas) {
  const TemporaryFolder folder;
  folder.add("train-images-idx3-ubyte", images(3));
  folder.add("train-labels-idx1-ubyte", labels(std::string("\0\1\2", 3)));
  folder.add("t10k-images-idx3-ubyte", images(2));
  folder.add("t10k-labels-idx1-ubyte", labels(std::string("\2\4", 2)));
  const data::Pictures pictures = data::read_pictures(folder.path());
  EXPECT_EQ(pictures.classes.size(), 5u);  // a model that knows five classes can be evaluated on them
  EXPECT_EQ(message_of([&] { data::fit_pictures(pictures); }),
            "fit_pictures: label 4 of test picture 1 is not in 0 to 2, the labels of the training pictures; take files "
            "that belong together");
}

TEST(Pictures, OneClassAloneIsNotLearned) {
  const TemporaryFolder folder;
  folder.add("train-images-idx3-ubyte", images(3));
  folder.add("train-labels-idx1-ubyte", labels(std::string("\1\1\1", 3)));
  const data::Pictures pictures = data::read_pictures(folder.path());
  EXPECT_EQ(message_of([&] { data::fit_pictures(pictures); }),
            "fit_pictures: all training pictures have the label 1, so there is nothing to learn; give pictures of two "
            "classes or more");
}

TEST(Pictures, SaysWhatDoesNotFit) {
  const TemporaryFolder folder;
  const auto at = [&](const std::string& name) { return "'" + folder.path(name) + "'"; };
  const auto refused = [&](const std::string& pictures, const std::string& numbers) {
    folder.add("train-images-idx3-ubyte", pictures);
    folder.add("train-labels-idx1-ubyte", numbers);
    return refusal(folder.path());
  };
  const std::string image_file = "'" + io::shown(folder.path("train-images-idx3-ubyte")) + "'";
  EXPECT_EQ(refused(images(2), labels("\1")), "read_pictures: 2 pictures in " + image_file + " and 1 labels in '" +
                                                  io::shown(folder.path("train-labels-idx1-ubyte")) +
                                                  "'; take files that belong together");
  EXPECT_PRED2(
      contains, refused(idx({2, 3}, "123456"), labels("\1\1")),
      "holds uint8 [2, 3], and pictures are uint8 [n, height, width] or [n, height, width, channels]; convert them");
  EXPECT_PRED2(contains, refused(idx({0, 2, 3}, ""), labels("")), "holds uint8 [0, 2, 3], which is no picture; give");
  EXPECT_PRED2(contains, refused(idx({1, 1, 1}, "1234", 0x0D), labels("\1")),
               "holds float32 [1, 1, 1], and pictures are uint8");
  EXPECT_PRED2(contains, refused(images(1), idx({1, 2}, "12")),
               "holds uint8 [1, 2], and labels are whole numbers of shape [n]; give one");
  EXPECT_PRED2(contains, refused(images(1), idx({1}, "1234", 0x0D)), "holds float32 [1], and labels are whole numbers");
  EXPECT_PRED2(contains, refused(images(1), idx({1}, "\xFF", 0x09)),
               "label -1 of picture 0 is not in 0 to 65535; number the classes from 0");
  EXPECT_PRED2(contains, refused(images(1), idx({1}, std::string("\0\1\0\0", 4), 0x0C)),
               "label 65536 of picture 0 is not in 0 to 65535");
  ASSERT_EQ(refused(images(2), labels(std::string("\0\2", 2))), "no error");

  const auto named = [&](const std::string& names) {
    folder.add("labels.txt", names);
    return refusal(folder.path());
  };
  EXPECT_EQ(named("a\nb\n"), "read_pictures: " + at("labels.txt") +
                                 " names 2 classes, and labels up to 2 need 3; add the others, one a line");
  EXPECT_EQ(named(""), "read_pictures: " + at("labels.txt") +
                           " names 0 classes, and labels up to 2 need 3; add the others, one a line");
  EXPECT_EQ(named("a\nb\na\n"),
            "read_pictures: " + at("labels.txt") +
                ", line 3: the class 'a' is there already; give each class a name of its own, one a line");
  EXPECT_EQ(named("a\n\nb\n"), "read_pictures: " + at("labels.txt") +
                                   ", line 2: the class '' has no name; give each class a name of its own, one a line");
  EXPECT_EQ(named("a\n\xE9\nb"), "read_pictures: " + at("labels.txt") + ": '\\xe9' is not UTF-8; convert the file");
  ASSERT_EQ(named("a\nb\nc"), "no error");

  folder.add("t10k-images-idx3-ubyte", idx({1, 3, 2}, "123456"));
  folder.add("t10k-labels-idx1-ubyte", labels("\1"));
  EXPECT_EQ(refusal(folder.path()),
            "read_pictures: '" + folder.path() +
                "': training pictures are [2, 2, 3] and test pictures [1, 3, 2]; take files that belong together");
  folder.add("test-images-idx3-ubyte", images(1));
  EXPECT_EQ(refusal(folder.path()),
            "read_pictures: '" + folder.path() +
                "' holds two files of test images: 't10k-images-idx3-ubyte' and 'test-images-idx3-ubyte'; remove one");
  const std::string twice =
      folder.add("twice.npz", npz({{"x_train", npy({1, 1, 1}, 1)}, {"train_images", npy({1, 1, 1}, 1)}}));
  EXPECT_EQ(refusal(twice), "read_pictures: '" + twice +
                                "' holds two arrays of training images: 'train_images' and 'x_train'; remove one");
}

TEST(Pictures, RefusesJsonThatIsDamaged) {
  const data::PicturePreprocessing good{.shape = {28, 28}, .mean = 1.5, .scale = 2, .classes = {"a", "b"}};
  using Json = nlohmann::json;
  const auto expect = [&](const std::string& key, const Json& value, const std::string& reason) {
    Json json = Json::parse(data::to_json(good));
    json[key] = value;
    EXPECT_EQ(message_of([&] { data::picture_preprocessing_from_json(json.dump()); }),
              "preprocessing: the description in the model file is damaged (" + reason +
                  "); train it again, or take another copy");
  };
  expect("shape", {28}, "'shape' is not two or three sizes");
  expect("shape", 28, "'shape' is not two or three sizes");
  expect("shape", {28, 0}, "a size in 'shape' is not right");
  expect("shape", {28, -1}, "a size in 'shape' is not right");
  expect("shape", {28, 10000000}, "a size in 'shape' is not right");
  expect("mean", nullptr, "'mean' is no number");
  expect("scale", 0, "'scale' is not above 0");
  expect("classes", {"a"}, "there are less than two classes");
  expect("source", "x", "the source 'x' is not known");
}

}  // namespace
}  // namespace pellucid
