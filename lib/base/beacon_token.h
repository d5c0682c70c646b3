// What a page draws at random and loads as the first label of a beacon's name, so that the query of its
// client's resolver and its client's connection can be told to belong together (docs/adr/0032).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace perigee {

class BeaconToken {
 public:
  // Long enough not to be guessed, and short enough for a label.
  static constexpr size_t kMinSize = 16, kMaxSize = 63;

  // Letters, digits and dashes; nothing for other labels. Case does not count, for resolvers change it.
  static std::optional<BeaconToken> Parse(std::string_view label);

  // In lower case.
  const std::string& text() const { return text_; }

  friend bool operator==(const BeaconToken&, const BeaconToken&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const BeaconToken& token) {
    return H::combine(std::move(h), token.text_);
  }

 private:
  explicit BeaconToken(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace perigee
