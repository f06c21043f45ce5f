// Windows that slide over images: the geometry of convolution and pooling.
//
// Along one axis, tap t of place o reads pixel o * stride + t * dilation - before; pixels outside
// of the image are padding. A one-dimensional op is one of images of height 1.
#pragma once

#include <algorithm>
#include <cstdint>

namespace dlnative {

// One axis. `after` is what the op's row says and may be less than what the last place reads, but
// never so much that a further place would fit.
struct WindowAxis {
  std::int64_t in = 1;      // pixels of the image
  std::int64_t out = 1;     // places of the window
  std::int64_t window = 1;  // taps
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t before = 0;  // pixels of padding
  std::int64_t after = 0;

  // Pixels from the first to the last tap.
  std::int64_t span() const { return (window - 1) * dilation + 1; }
  // The pixel of tap 0 at place o; negative inside of the padding.
  std::int64_t first(std::int64_t o) const { return o * stride - before; }

  // Taps [first_tap(o), last_tap(o)) of place o read pixels of the image.
  std::int64_t first_tap(std::int64_t o) const {
    const std::int64_t start = first(o);
    return start >= 0 ? 0 : std::min(window, (-start + dilation - 1) / dilation);
  }
  std::int64_t last_tap(std::int64_t o) const {
    const std::int64_t room = in - first(o);
    return room <= 0 ? 0 : std::min(window, (room + dilation - 1) / dilation);
  }

  // Places [inner_begin(), inner_end()) read the image with every tap.
  std::int64_t inner_begin() const { return std::min(out, (before + stride - 1) / stride); }
  std::int64_t inner_end() const {
    const std::int64_t room = in + before - span();
    return room < 0 ? inner_begin() : std::max(inner_begin(), std::min(out, room / stride + 1));
  }
};

// x [batch, h.in, w.in, channels] and y [batch, h.out, w.out, ...].
struct Window {
  std::int64_t batch = 0;
  std::int64_t channels = 0;  // of x
  WindowAxis h, w;
};

}  // namespace dlnative
