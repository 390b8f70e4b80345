// pellucid.data: pictures.
#include "options.h"
#include "table.h"

namespace pellucid::python {

namespace {

using namespace data;

nb::object array_or_none(const Array& array) { return array.defined() ? nb::cast(array) : nb::none(); }

PictureOptions options_of(nb::handle shape) {
  PictureOptions options;
  if (!shape.is_none() && !to_shape(shape, options.shape)) {
    throw nb::type_error("pictures: shape is (height, width) or (height, width, channels)");
  }
  return options;
}

}  // namespace

void bind_pictures(nb::module_& m) {
  nb::class_<PictureSet>(m, "PictureSet", "Pictures and their classes.")
      .def_prop_ro(
          "images", [](const PictureSet& s) { return array_or_none(s.images); },
          "uint8 (n, height, width) or (n, height, width, channels); None where there are none.")
      .def_prop_ro(
          "labels", [](const PictureSet& s) { return array_or_none(s.labels); },
          "int64 (n); None where read_images gave the pictures.")
      .def_ro("files", &PictureSet::files, "PNG and JPEG: where each came from, below the path that was read.")
      .def_ro("resized", &PictureSet::resized, "How many were brought to another size.")
      .def("__len__", &PictureSet::size);
  nb::class_<Pictures>(m, "Pictures", "A data set of pictures: a part for training, one for testing, and the classes.")
      .def_ro("training", &Pictures::training)
      .def_ro("test", &Pictures::test)
      .def_ro("classes", &Pictures::classes, "Names of class folders; lines of labels.txt; else '0', '1', ...")
      .def("__repr__", [](const Pictures& p) {
        return "Pictures(" + std::to_string(p.training.size()) + " for training, " + std::to_string(p.test.size()) +
               " for testing, " + std::to_string(p.classes.size()) + " classes)";
      });
  m.def(
      "read_pictures",
      [](nb::handle path, nb::handle shape) {
        const std::string text = path_of(path);
        const PictureOptions options = options_of(shape);
        const Unlocked release;
        return read_pictures(text, options);
      },
      nb::arg("path"), nb::arg("shape").none() = nb::none(),
      "A folder of IDX files named as MNIST's, an NPZ file with x_train, y_train, x_test, y_test, or a folder with a "
      "folder of PNG and JPEG files for each class (or folders train and test with one for each class in them).\n\n"
      "shape: (height, width) or (height, width, channels) that PNG and JPEG files are brought to; without it those "
      "that "
      "differ in size are an error.");
  m.def(
      "read_images",
      [](nb::handle path, nb::handle shape) {
        const std::string text = path_of(path);
        const PictureOptions options = options_of(shape);
        const Unlocked release;
        return read_images(text, options);
      },
      nb::arg("path"), nb::arg("shape").none() = nb::none(),
      "A PNG or JPEG file, or all in a folder, without classes: a PictureSet.");
  nb::class_<PicturePreprocessing>(m, "PicturePreprocessing",
                                   "What stands between pictures and a network, which gets (pixel - mean) / scale.")
      .def_prop_ro("shape", [](const PicturePreprocessing& p) { return shape_tuple(p.shape); })
      .def_ro("mean", &PicturePreprocessing::mean)
      .def_ro("scale", &PicturePreprocessing::scale)
      .def_ro("classes", &PicturePreprocessing::classes)
      .def(
          "encode",
          [](const PicturePreprocessing& p, const Operand& images) {
            return (astype(images.array, DType::kFloat32) - p.mean) * (1 / p.scale);
          },
          nb::arg("images"), "What the network takes: float32.")
      .def(
          "to_json", [](const PicturePreprocessing& p) { return data::to_json(p); }, "As it stands in the model file.")
      .def_static("from_json", &picture_preprocessing_from_json, nb::arg("json"),
                  "What to_json wrote. Raises ValueError for other text.");
  m.def("fit_pictures", &fit_pictures, nb::arg("pictures"),
        "Mean and standard deviation of all pixels of the training pictures.");
}

}  // namespace pellucid::python
