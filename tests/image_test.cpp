// PNG and JPEG files: pixels as Pillow reads them, class folders, and what is refused.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "io/image.h"
#include "pellucid/data.h"
#include "pellucid/io.h"
#include "support/damage.h"
#include "support/files.h"
#include "support/message.h"

namespace pellucid {
namespace {

namespace fs = std::filesystem;
using data::Source;
using io::Image;
using Json = nlohmann::json;

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

const Json& reference() {
  static const Json json = Json::parse(content_of(PELLUCID_SOURCE_DIR "/tests/reference/images.json"));
  return json;
}

std::vector<std::uint8_t> pixels_of(const Json& item) {
  const std::string bytes = from_hex(item["pixels"]);
  return {bytes.begin(), bytes.end()};
}

std::string bytes_of(const std::string& name) {
  for (const Json& item : reference()["images"]) {
    if (item["name"] == name) return from_hex(item["bytes"]);
  }
  return "";
}

// Puts an image there, with the folders above it.
void put(const TemporaryFolder& folder, const std::string& name, const std::string& image) {
  fs::create_directories(fs::path(folder.path(name)).parent_path());
  std::ofstream(folder.path(name), std::ios::binary) << bytes_of(image);
}

TEST(Images, HoldThePixelsThatPillowReads) {
  const TemporaryFolder folder;
  for (const Json& item : reference()["images"]) {
    const std::string path = folder.add(item["name"], from_hex(item["bytes"]));
    const Array image = io::read_image(path);
    EXPECT_EQ(image.dtype(), uint8);
    EXPECT_EQ(Json(image.shape()), item["shape"]) << path;
    EXPECT_EQ(image.to_vector<std::uint8_t>(), pixels_of(item)) << path;
  }
}

TEST(Images, AreBroughtToAnotherSize) {
  const Json& source = reference()["source"];
  const Image image{
      .height = source["shape"][0], .width = source["shape"][1], .channels = 3, .pixels = pixels_of(source)};
  for (const Json& item : reference()["resized"]) {
    const Image small = io::resized(image, item["shape"][0], item["shape"][1]);
    const std::vector<std::uint8_t> expected = pixels_of(item);
    ASSERT_EQ(small.pixels.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(small.pixels[i], expected[i], 1) << item["shape"];
  }
  const Image flat{.height = 5, .width = 4, .channels = 1, .pixels = std::vector<std::uint8_t>(20, 77)};
  EXPECT_EQ(io::resized(flat, 3, 9).pixels, std::vector<std::uint8_t>(27, 77));
}

TEST(Images, TakeOnAnotherNumberOfChannels) {
  const Image grey{.height = 1, .width = 2, .channels = 1, .pixels = {7, 200}};
  const Image colour = io::with_channels(grey, 3);
  EXPECT_EQ(colour.pixels, (std::vector<std::uint8_t>{7, 7, 7, 200, 200, 200}));
  EXPECT_EQ(io::with_channels(colour, 1).pixels, grey.pixels);
  const Image red{.height = 1, .width = 1, .channels = 3, .pixels = {255, 0, 0}};
  EXPECT_EQ(io::with_channels(red, 1).pixels, std::vector<std::uint8_t>{76});
}

TEST(Images, AreReadOrRefusedWhateverTheirBytes) {
  for (const char* name : {"grey.png", "palette.png", "grey.jpg", "progressive.jpg"}) {
    damage(name, bytes_of(name), [](const std::string& text) {
      const io::FileBytes bytes = exact(text);
      const Image image = io::decode_image(bytes.view(), "x");
      ASSERT_EQ(static_cast<std::int64_t>(image.pixels.size()), image.height * image.width * image.channels);
    });
  }
  const auto refusal = [](const std::string& bytes) { return message_of([&] { io::decode_image(bytes, "x.png"); }); };
  EXPECT_EQ(refusal(""), "read_image: 'x.png' is empty; give PNG or JPEG files");
  EXPECT_EQ(refusal("GIF89a"),
            "read_image: 'x.png' begins neither as a PNG file nor as a JPEG file; give PNG or JPEG files");
  const std::string png = bytes_of("grey.png"), jpeg = bytes_of("colour.jpg");
  EXPECT_EQ(refusal(png.substr(0, 60)),
            "read_image: 'x.png' is a damaged PNG file (the data end too early); make it anew, or remove it");
  EXPECT_EQ(
      refusal(jpeg.substr(0, jpeg.size() / 2)),
      "read_image: 'x.png' is a damaged JPEG file, or of a kind that is not read (Premature end of JPEG file); make "
      "it anew, or remove it");
  EXPECT_NE(refusal(from_hex(reference()["four_colours"])).find("of a kind that is not read"), std::string::npos);
  std::string hollow = png;  // the header's width and height, and their checksum
  hollow[18] = hollow[22] = '\x20';
  const std::uint32_t sum = crc32(0, reinterpret_cast<const Bytef*>(hollow.data()) + 12, 17);
  for (std::size_t i = 0; i < 4; ++i) hollow[29 + i] = static_cast<char>(sum >> (24 - 8 * i));
  EXPECT_TRUE(contains(refusal(hollow), "pixels, for which its data are too short; make it anew, or remove it"));
  std::string large = jpeg;  // the frame header's height and width
  const std::size_t frame = large.find("\xFF\xC0");
  for (std::size_t i = 5; i < 9; ++i) large[frame + i] = '\xFF';
  large[frame + 5] = large[frame + 7] = '\x7F';
  EXPECT_EQ(refusal(large), "read_image: 'x.png' is 32767 x 32767 pixels, and at most 2^28 are read; scale it down");
}

TEST(ClassFolders, GivePicturesAndClasses) {
  const TemporaryFolder folder;
  put(folder, "b/2.png", "grey.png");
  put(folder, "b/1.PNG", "grey.png");
  put(folder, "a/x.png", "grey.png");
  put(folder, "a/.hidden.png", "colour.png");
  put(folder, ".git/y.png", "colour.png");
  folder.add("a/notes.txt", "");
  fs::create_directories(folder.path("nothing"));
  ASSERT_EQ(data::recognise(folder.path()), Source::kPictures);
  const data::Pictures pictures = data::read_pictures(folder.path());
  EXPECT_EQ(pictures.classes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(pictures.training.images.shape(), (Shape{3, 9, 7}));
  EXPECT_EQ(pictures.training.labels.to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 1}));
  EXPECT_EQ(pictures.training.files, (std::vector<std::string>{"a/x.png", "b/1.PNG", "b/2.png"}));
  EXPECT_EQ(pictures.test.size(), 0);

  put(folder, "a/z.jpg", "colour.jpg");
  EXPECT_EQ(message_of([&] { data::read_pictures(folder.path()); }),
            "read_pictures: '" + folder.path("a/z.jpg") + "' is 19 x 33 pixels, and '" + folder.path("a/x.png") +
                "' 9 x 7; give a size that all are brought to (PictureOptions::shape, --size of the program)");
  const data::PictureSet set = data::read_pictures(folder.path(), {.shape = {8, 6}}).training;
  EXPECT_EQ(set.images.shape(), (Shape{4, 8, 6, 3})) << "colours in one: three channels for all";
  EXPECT_EQ(set.resized, 4);
  EXPECT_EQ(data::read_pictures(folder.path(), {.shape = {8, 6, 1}}).training.images.shape(), (Shape{4, 8, 6, 1}));
  EXPECT_EQ(message_of([&] { data::read_pictures(folder.path(), {.shape = {8}}); }),
            "read_pictures: the shape [8] is not (height, width), or that with 1 or 3 channels; correct it");
}

TEST(ClassFolders, MayBeSplitIntoTrainingAndTest) {
  const TemporaryFolder folder;
  for (const char* name :
       {"Train/cat/1.png", "Train/dog/1.png", "Train/dog/2.png", "val/cat/1.png", "test/dog/1.png"}) {
    put(folder, name, "colour.png");
  }
  const data::Pictures pictures = data::read_pictures(folder.path());
  EXPECT_EQ(pictures.classes, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(pictures.training.size(), 3);
  EXPECT_EQ(pictures.test.labels.to_vector<std::int64_t>(), std::vector<std::int64_t>{1});
  EXPECT_EQ(pictures.test.files, std::vector<std::string>{"test/dog/1.png"});
  put(folder, "test/bird/1.png", "colour.png");
  EXPECT_EQ(message_of([&] { data::read_pictures(folder.path()); }),
            "read_pictures: '" + folder.path("test") +
                "' has the class 'bird', and training has 'cat', 'dog'; take folders that belong together");
}

TEST(ClassFolders, WithoutTwoClassesAreRefused) {
  const TemporaryFolder folder;
  put(folder, "cat/1.png", "grey.png");
  EXPECT_EQ(message_of([&] { data::read_pictures(folder.path()); }),
            "read_pictures: '" + folder.path() +
                "' has 1 folder(s) with images; give 2 to 65536 of them, one for each class");
  const TemporaryFolder odd;
  put(odd, "a/1.png", "grey.png");
  put(odd, "\xFF/1.png", "grey.png");
  EXPECT_NE(message_of([&] { data::read_pictures(odd.path()); }).find("not UTF-8"), std::string::npos);
  const TemporaryFolder flat;
  put(flat, "1.png", "grey.png");
  EXPECT_EQ(message_of([&] { data::read_pictures(flat.path()); }),
            "read_pictures: the images in '" + flat.path() +
                "' have no classes; put those of each class into a folder of its own");
  EXPECT_EQ(
      message_of([&] { data::read_pictures(flat.path("1.png")); }),
      "read_pictures: '" + flat.path("1.png") + "' is one image; give a folder with a folder of images for each class");
  EXPECT_EQ(message_of([&] { data::read_images(folder.path()); }),
            "read_images: '" + folder.path() + "' holds no PNG or JPEG files; give a folder that does");
}

TEST(Images, WithoutClassesAreReadAlone) {
  const TemporaryFolder folder;
  put(folder, "b.png", "grey.png");
  put(folder, "a.jpg", "grey.jpg");
  EXPECT_TRUE(data::holds_images(folder.path()));
  const data::PictureSet set = data::read_images(folder.path(), {.shape = {9, 7}});
  EXPECT_EQ(set.files, (std::vector<std::string>{"a.jpg", "b.png"}));
  EXPECT_EQ(set.images.shape(), (Shape{2, 9, 7}));
  EXPECT_EQ(set.resized, 1);
  EXPECT_FALSE(set.labels.defined());
  EXPECT_EQ(data::read_images(folder.path("b.png"), {.shape = {9, 7, 3}}).images.shape(), (Shape{1, 9, 7, 3}));
}

}  // namespace
}  // namespace pellucid
