// Bytes as a socket gives them: in pieces, of which a parser takes what it can use and sees the rest again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "services/replica/http1/parser.h"

namespace perigee::fuzz {

class Pieces {
 public:
  Pieces(std::string_view bytes, size_t piece) : bytes_(bytes), piece_(piece) {}

  // Gives `parse` what has come, and more, until it is done, refuses, or all has come.
  template <typename Parse>
  replica::Progress Feed(Parse parse) {
    for (;;) {
      const replica::ParseResult result = parse(bytes_.substr(used_, come_ - used_));
      used_ += result.consumed;
      if (result.progress != replica::Progress::kNeedMore || come_ == bytes_.size()) return result.progress;
      come_ = std::min(come_ + piece_, bytes_.size());
    }
  }
  size_t used() const { return used_; }

 private:
  std::string_view bytes_;
  size_t piece_;
  size_t come_ = 0;
  size_t used_ = 0;
};

inline constexpr size_t kWhole = SIZE_MAX / 2;
// How the targets cut an input beside reading it whole: of all inputs together, at every place.
inline size_t PieceFor(std::string_view bytes) { return 1 + bytes.size() % 8; }

}  // namespace perigee::fuzz
