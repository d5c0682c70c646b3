#include "lib/base/beacon_token.h"

#include <algorithm>

#include "lib/base/parse.h"

namespace perigee {

std::optional<BeaconToken> BeaconToken::Parse(std::string_view label) {
  if (label.size() < kMinSize || label.size() > kMaxSize) return std::nullopt;
  std::string text(label);
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const bool good = std::all_of(text.begin(), text.end(),
                                [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || c == '-'; });
  return good ? std::optional(BeaconToken(std::move(text))) : std::nullopt;
}

}  // namespace perigee
