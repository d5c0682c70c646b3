#include "lib/base/beacon_token.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace perigee {

std::optional<BeaconToken> BeaconToken::Parse(std::string_view label) {
  if (label.size() < kMinSize || label.size() > kMaxSize) return std::nullopt;
  std::string text = absl::AsciiStrToLower(absl::string_view(label.data(), label.size()));
  const bool good = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isdigit(c) || absl::ascii_islower(c) || c == '-';
  });
  return good ? std::optional(BeaconToken(std::move(text))) : std::nullopt;
}

}  // namespace perigee
