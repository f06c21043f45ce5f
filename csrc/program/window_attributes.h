// From the attributes of a convolution or pooling, as the op table spells them, to its geometry.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/checks.h"
#include "ops/window.h"
#include "program/instruction.h"

namespace dlnative {

// Attribute `name` as `rank` integers of at least `least`, or all 1 where it is missing.
inline std::vector<std::int64_t> window_sizes(const Spec& spec, const char* name, std::size_t rank,
                                              std::int64_t least = 1) {
  if (!spec.has(name)) return std::vector<std::int64_t>(rank, 1);
  std::vector<std::int64_t> values = spec.integers(name);
  check(values.size() == rank, spec.op, ": expected ", rank, " values for '", name, "', received ",
        values);
  for (const std::int64_t value : values) {
    check(value >= least, spec.op, ": expected '", name, "' of at least ", least, ", received ",
          values);
  }
  return values;
}

// What images of `image` and a window of `window` taps have in common, forwards and transposed.
struct WindowAttributes {
  std::size_t rank;
  std::vector<std::int64_t> strides, dilation;
  std::string padding = "valid";   // or "same", or "" where `pads` says it
  std::vector<std::int64_t> pads;  // (before, after) per axis

  WindowAttributes(const Spec& spec, const std::vector<std::int64_t>& image,
                   const std::vector<std::int64_t>& window)
      : rank(image.size() - 2) {
    check(image.size() == 3 || image.size() == 4, spec.op,
          ": expected an image of 3 or 4 axes, received shape ", image);
    check(window.size() == rank, spec.op, ": expected a window of ", rank, " sizes, received ",
          window);
    for (std::size_t i = 0; i < rank; ++i) {
      check(image[i + 1] > 0 && window[i] > 0, spec.op, ": expected sizes of at least 1");
    }
    strides = window_sizes(spec, "strides", rank);
    dilation = window_sizes(spec, "dilation_rate", rank);
    const auto given = spec.attributes.find("padding");
    if (given != spec.attributes.end() && std::holds_alternative<std::string>(given->second)) {
      padding = std::get<std::string>(given->second);
      check(padding == "valid" || padding == "same", spec.op, ": unknown padding '", padding, "'");
    } else if (spec.has("padding")) {
      padding.clear();
      pads = window_sizes(spec, "padding", 2 * rank, 0);
    }
  }

  // Axis i of the image; a row of pixels is an image of height 1.
  WindowAxis& axis(Window& all, std::size_t i, std::int64_t in, std::int64_t window) const {
    WindowAxis& a = i + 1 == rank ? all.w : all.h;
    a.in = in;
    a.window = window;
    a.stride = strides[i];
    a.dilation = dilation[i];
    if (padding.empty()) {
      a.before = pads[2 * i];
      a.after = pads[2 * i + 1];
    }
    return a;
  }
};

// A window of `window` taps per axis over images of shape (batch, length, channels) or (batch,
// height, width, channels), with the attributes strides, padding and dilation_rate of `spec`.
// std::invalid_argument: wrong rank or attributes, a window larger than the padded input.
inline Window read_window(const Spec& spec, const std::vector<std::int64_t>& image,
                          const std::vector<std::int64_t>& window) {
  const WindowAttributes attributes(spec, image, window);
  Window result;
  result.batch = image.front();
  result.channels = image.back();
  for (std::size_t i = 0; i < attributes.rank; ++i) {
    WindowAxis& a = attributes.axis(result, i, image[i + 1], window[i]);
    if (attributes.padding == "same") {
      const std::int64_t places = (a.in + a.stride - 1) / a.stride;
      const std::int64_t total =
          std::max<std::int64_t>((places - 1) * a.stride + a.span() - a.in, 0);
      a.before = total / 2;
      a.after = total - a.before;
    }
    const std::int64_t room = a.in + a.before + a.after - a.span();
    check(room >= 0, spec.op, ": the window is larger than the padded input");
    a.out = room / a.stride + 1;
  }
  return result;
}

// The convolution whose adjoint the transposed convolution of `spec` is: it maps images of shape
// `output`, the result of the transposed convolution, to `image`, its input. The rule is that of
// Keras 3, written out in python/dlnative/graph/window.py.
inline Window read_transposed_window(const Spec& spec, const std::vector<std::int64_t>& image,
                                     const std::vector<std::int64_t>& output,
                                     const std::vector<std::int64_t>& window) {
  const WindowAttributes attributes(spec, image, window);
  check(output.size() == image.size(), spec.op, ": expected an output of ", image.size(),
        " axes, received shape ", output);
  const bool has_extra = spec.has("output_padding");
  const auto extra = window_sizes(spec, "output_padding", attributes.rank, 0);
  Window result;
  result.batch = output.front();
  result.channels = output.back();
  for (std::size_t i = 0; i < attributes.rank; ++i) {
    WindowAxis& a = attributes.axis(result, i, output[i + 1], window[i]);
    a.out = image[i + 1];
    const std::int64_t span = a.span();
    if (attributes.padding == "same") {
      a.before = std::max<std::int64_t>(
          has_extra ? span / 2 - (extra[i] + 1) / 2 : (span - a.stride) / 2, 0);
    }
    a.after = std::max<std::int64_t>((a.out - 1) * a.stride + span - a.before - a.in, 0);
    // The convolution must come out at the image's size, or addresses would be wrong.
    const std::int64_t room = a.in + a.before + a.after - span;
    check(a.in > 0 && room >= 0 && room / a.stride + 1 == a.out, spec.op,
          ": expected an output of another size, received shape ", output);
  }
  return result;
}

}  // namespace dlnative
