// Dictionaries of Structured Field Values (RFC 8941 §3.2, §4.2.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perigee::http {

struct StructuredValue {
  enum class Type { kBoolean, kInteger, kDecimal, kString, kToken, kBytes, kInnerList };
  Type type = Type::kBoolean;
  bool boolean = true;
  int64_t integer = 0;
  std::string text;                // of a string or token
  std::vector<std::string> items;  // of an inner list: the texts of its strings and tokens
};

using StructuredDictionary = std::vector<std::pair<std::string, StructuredValue>>;

// The members in order; of a key that comes twice, the last. Parameters are checked and dropped. Nothing when
// any part of `text` is malformed: the whole field is to be ignored then.
std::optional<StructuredDictionary> ParseStructuredDictionary(std::string_view text);

}  // namespace perigee::http
