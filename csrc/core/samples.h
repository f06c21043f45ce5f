// Which samples of a data set the rows of a batch are. Random changes of images are functions of
// (seed, epoch, number of the sample), so that order, batch size and threads do not matter.
#pragma once

#include <cstdint>

namespace dlnative {

struct Samples {
  std::uint64_t epoch = 0;
  std::int64_t rows = 0;                  // of the batch
  const std::int64_t* numbers = nullptr;  // of each row's sample; null: consecutive
  std::int64_t first = 0;                 // number of row 0 where `numbers` is null

  // The number that stands for row r of an array of `count` rows. Where each sample has become k
  // rows, these are k * sample, k * sample + 1, ...
  std::int64_t number(std::int64_t r, std::int64_t count) const {
    if (rows > 0 && count > rows) {
      const std::int64_t k = (count + rows - 1) / rows;
      return number(r / k, rows) * k + r % k;
    }
    return numbers != nullptr ? numbers[r] : first + r;
  }
};

}  // namespace dlnative
