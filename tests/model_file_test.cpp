// The model file: what is saved is loaded, in the same bytes every time, and never by halves.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "pellucid/io.h"
#include "pellucid/pellucid.h"
#include "support/files.h"
#include "support/message.h"

namespace pellucid {
namespace {

struct Net : nn::Module {
  nn::Linear hidden{2, 4};
  nn::Sequential encoder{nn::Linear(4, 3), nn::BatchNorm1d(3)};
  nn::Parameter scale = ones({3});
  Array operator()(const Array& x) { return scale * encoder(hidden(x)); }
};

io::ModelFile model() {
  io::ModelFile file;
  file.parameters = {{"0.weight", Array{{1.5, -0.0}, {3.25e-38, 4}}}, {"0.bias", Array{0.1, 0.2}}};
  file.network = "{ \"layers\": [ {\"kind\": \"linear\", \"out\": 2} ],\n \"inputs\": 2 }";
  file.preprocessing = R"({"mean":0.1,"classes":["a","\u00e9"]})";
  file.training = R"({"epochs":10,"loss":[0.5,1e-300,12345678901234567]})";
  return file;
}

TEST(ModelFile, LoadsWhatWasSavedInCanonicalForm) {
  const TemporaryFolder folder;
  io::save_model(folder.path("m"), model());
  const io::ModelFile back = io::load_model(folder.path("m"));
  EXPECT_EQ(back.network, R"({"inputs":2,"layers":[{"kind":"linear","out":2}]})");
  EXPECT_EQ(back.preprocessing, "{\"classes\":[\"a\",\"\xC3\xA9\"],\"mean\":0.1}");
  EXPECT_EQ(back.training, R"({"epochs":10,"loss":[0.5,1e-300,12345678901234567]})");
  ASSERT_EQ(back.parameters.size(), 2U);
  for (const auto& [name, array] : model().parameters) {
    const auto bits = [](const Array& x) {
      return std::string(static_cast<const char*>(x.raw_data()), static_cast<std::size_t>(x.size()) * 4);
    };
    EXPECT_EQ(bits(back.parameters.at(name)), bits(array)) << name;
    EXPECT_EQ(back.parameters.at(name).shape(), array.shape()) << name;
  }
  io::save_model(folder.path("n"), back);
  EXPECT_EQ(content_of(folder.path("m")), content_of(folder.path("n")));
}

TEST(ModelFile, ModulesAreSavedByTheNamesOfTheirMembers) {
  const TemporaryFolder folder;
  const std::string path = folder.path("net");
  Net net;
  nn::initialize(net, random::key(1));
  const Array x = random::normal(random::key(2), {20, 2});
  fit(net, {x, ones({20, 3})}, {.loss = loss::mean_squared_error, .max_epochs = 3});
  save(net, path);
  const io::ModelFile file = io::load_model(path);
  EXPECT_EQ(file.parameters.size(), 9U);
  EXPECT_TRUE(file.parameters.contains("encoder.1.running_mean"));
  EXPECT_TRUE(contains(file.network, R"("inputs":2)")) << file.network;

  Net other;
  load(other, path);
  EXPECT_TRUE(all(equal(predict(other, x), predict(net, x))).item<bool>());

  nn::Linear wrong(2, 3);
  EXPECT_PRED2(contains, message_of([&] { load(wrong, path); }),
               "load: '" + path + "': set_arrays: the module has no 'encoder.0.bias'; its arrays are weight, bias");
  EXPECT_PRED2(contains, message_of([&] { load(other, folder.path("none")); }), "cannot open");
  io::write_safetensors(path, {.tensors = {{"scale", zeros({3})}}, .metadata = {}});
  EXPECT_PRED2(contains, message_of([&] { load(other, path); }), "set_arrays: no value for 'hidden.weight'");
  load(other, path, /*partial=*/true);
  EXPECT_TRUE(all(equal(predict(other, x), 0.0)).item<bool>());
}

TEST(ModelFile, HoldsNothingButWhatItWasGiven) {
  const TemporaryFolder folder;
  io::save_model(folder.path("m"), model());
  std::vector<std::string> keys;
  for (const auto& [key, text] : io::read_safetensors(folder.path("m")).metadata) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"format", "format_version", "network", "preprocessing", "training"}));
}

TEST(ModelFile, SaysWhatIsWrong) {
  const TemporaryFolder folder;
  const std::string path = folder.path("m");
  io::ModelFile bad = model();
  bad.training = "{\"a\":}";
  const std::string text = message_of([&] { io::save_model(path, bad); });
  EXPECT_TRUE(text.starts_with("save_model: '" + path + "': the description of the training is not JSON (")) << text;
  EXPECT_TRUE(text.ends_with("; give JSON text")) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(folder.files(), 0U);

  const auto loaded = [&](const io::TensorFile& file) {
    io::write_safetensors(path, file);
    return message_of([&] { io::load_model(path); });
  };
  EXPECT_EQ(loaded({{{"a", Array{1}}}, {}}),
            "load_model: '" + path +
                "' is a safetensors file, but not one of Pellucid's; give a file that `pellucid "
                "train` wrote");
  EXPECT_PRED2(contains, loaded({{}, {{"format", "pt"}}}), "but not one of Pellucid's");
  EXPECT_EQ(loaded({{}, {{"format", "pellucid"}, {"format_version", "2"}}}),
            "load_model: '" + path + "' has format version '2', and this program reads 1; use a newer Pellucid");
  const std::map<std::string, std::string> rest = {{"format", "pellucid"}, {"format_version", "1"}, {"network", "{}"}};
  EXPECT_EQ(loaded({{}, rest}), "load_model: '" + path +
                                    "': its preprocessing description is missing or damaged; train "
                                    "it again, or take another copy");
  auto broken = rest;
  broken["preprocessing"] = "{";
  EXPECT_PRED2(contains, loaded({{}, broken}), "its preprocessing description is missing or damaged");
  EXPECT_EQ(message_of([&] { io::load_model(folder.path("none")); }),
            "read_safetensors: cannot open '" + folder.path("none") +
                "': No such file or directory; check its name and folder");
}

TEST(ModelFile, TruncationsAreRefused) {
  const TemporaryFolder folder;
  io::save_model(folder.path("m"), model());
  const std::string bytes = content_of(folder.path("m"));
  for (std::size_t n = 0; n < bytes.size(); n += 13) {
    folder.add("cut", bytes.substr(0, n));
    EXPECT_NE(message_of([&] { io::load_model(folder.path("cut")); }), "no error") << n;
  }
}

TEST(ModelFile, PlacesThatTakeNoFileAreFoundBeforehand) {
  const TemporaryFolder folder;
  const std::string missing = folder.path("no folder/m");
  const std::string expected = "cannot write '" + missing + "': No such file or directory: make the folder first";
  EXPECT_EQ(message_of([&] { io::check_writable(missing); }), expected);
  EXPECT_EQ(message_of([&] { io::save_model(missing, model()); }), expected);
  EXPECT_PRED2(contains, message_of([&] { io::check_writable(folder.path()); }), "Is a directory");

  io::save_model(folder.path("m"), model());
  const std::string before = content_of(folder.path("m"));
  io::check_writable(folder.path("m"));
  EXPECT_EQ(content_of(folder.path("m")), before);
  chmod(folder.path("m").c_str(), 0444);
  chmod(folder.path().c_str(), 0555);
  EXPECT_TRUE(as_ordinary_user([&] {
    return contains(message_of([&] { io::check_writable(folder.path("m")); }), "Permission denied") &&
           contains(message_of([&] { io::check_writable(folder.path("n")); }), "Permission denied") &&
           contains(message_of([&] { io::write_csv(folder.path("n"), io::parse_csv("a\n1\n")); }), "Permission denied");
  }));
  chmod(folder.path().c_str(), 0755);
  EXPECT_EQ(folder.files(), 1U);
  EXPECT_EQ(content_of(folder.path("m")), before);
}

TEST(ModelFile, UnreadableFilesAreNamed) {
  const TemporaryFolder folder;
  io::save_model(folder.path("m"), model());
  chmod(folder.path().c_str(), 0755);
  chmod(folder.path("m").c_str(), 0);
  EXPECT_TRUE(as_ordinary_user([&] {
    return message_of([&] { io::load_model(folder.path("m")); }) ==
           "read_safetensors: cannot open '" + folder.path("m") + "': Permission denied; change its permissions";
  }));
}

TEST(ModelFile, AFullDiskLeavesTheOldFileAndNothingElse) {
  EXPECT_EQ(message_of([] { io::save_model("/dev/full", model()); }),
            "cannot write '/dev/full': No space left on device: free some space or choose another place");
  const TemporaryFolder folder;
  if (mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "mounting a small file system needs privileges; /dev/full stands in for it";
  }
  io::save_model(folder.path("m"), model());
  const std::string before = content_of(folder.path("m"));
  io::ModelFile large = model();
  large.parameters["1.weight"] = Array::from(std::vector<float>(100000, 1));
  const std::string full = ": No space left on device: free some space or choose another place";
  const std::string model_text = message_of([&] { io::save_model(folder.path("m"), large); });
  const std::string array_text = message_of([&] { io::write_npy(folder.path("a"), large.parameters["1.weight"]); });
  const std::size_t files = folder.files();
  const std::string after = content_of(folder.path("m"));
  umount(folder.path().c_str());
  EXPECT_EQ(model_text, "cannot write '" + folder.path("m") + "'" + full);
  EXPECT_EQ(array_text, "cannot write '" + folder.path("a") + "'" + full);
  EXPECT_EQ(files, 1U);
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace pellucid
