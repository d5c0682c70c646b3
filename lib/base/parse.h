// Numbers from text, strictly: the whole text, no sign, no spaces, no overflow.
#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace perigee {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
// "5" and nothing that others may read as another number: no sign, no list, no white space. It may overflow.
constexpr bool IsNumber(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit);
}

template <std::unsigned_integral T>
std::optional<T> ParseNumber(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace perigee
