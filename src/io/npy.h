// NPY and NPZ, the files of NumPy (numpy/lib/format.py describes the first; the second is a zip archive of them).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "io/raw.h"

namespace pellucid::io {

/// Decodes the content of an NPY file; the array may point into `bytes`. `where` begins messages: "read_npy: 'x.npy'".
RawArray parse_npy(std::string_view bytes, const std::string& where);

/// The members of a zip archive by name, unpacked. Throws Error for a damaged, encrypted or split archive, and for
/// methods beside stored and deflated.
std::map<std::string, std::unique_ptr<RawArray>> parse_npz(std::string_view bytes, const std::string& path);

/// The most axes that an array of an NPZ file has, by the arrays' headers alone. Throws Error as parse_npz does where
/// these cannot be read.
int most_axes(std::string_view bytes, const std::string& path);

/// The bytes of an NPY file over C-ordered data of one of the engine's types other than bfloat16.
std::string npy_bytes(DType dtype, const Shape& shape, std::string_view data);

}  // namespace pellucid::io
