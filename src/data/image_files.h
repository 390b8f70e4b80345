// Pictures that are a file each: class folders of PNG and JPEG.
#pragma once

#include <string>
#include <vector>

#include "pellucid/data.h"

namespace pellucid::data {

/// The names in a folder, ascending. Throws Error where it cannot be listed.
std::vector<std::string> names_in(const std::string& folder);
/// True for a folder with folders that hold PNG or JPEG files, also within folders train and test.
bool has_class_folders(const std::string& folder);
/// See read_pictures.
Pictures read_class_folders(const std::string& folder, const PictureOptions& options);

}  // namespace pellucid::data
