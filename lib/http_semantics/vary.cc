#include "lib/http_semantics/vary.h"

#include <algorithm>
#include <iterator>
#include <vector>

namespace perigee::http {
namespace {

constexpr std::string_view kListFields[] = {"accept", "accept-charset", "accept-encoding", "accept-language"};
constexpr std::string_view kOrderMatters = "accept";
// The origin sees the client's address in it, whatever the client sent (unkeyed_fields.h).
constexpr std::string_view kOfOneClient = "x-forwarded-for";

std::string Join(const std::vector<std::string>& parts, char separator) {
  std::string joined;
  for (const std::string& part : parts) {
    if (!joined.empty()) joined += separator;
    joined += part;
  }
  return joined;
}

std::string WithoutSpaces(std::string_view text) {
  std::string result;
  std::copy_if(text.begin(), text.end(), std::back_inserter(result),
               [](char c) { return c != ' ' && c != '\t'; });
  return result;
}

std::string NormalisedList(std::string_view name, const HeaderList& request) {
  std::vector<std::string> elements;
  for (const std::string_view element : request.ListElements(name)) {
    elements.push_back(ToLower(WithoutSpaces(element)));
  }
  if (name != kOrderMatters) std::sort(elements.begin(), elements.end());
  return Join(elements, ',');
}

std::string NormalisedValue(std::string_view name, const HeaderList& request) {
  const bool is_list =
      std::find(std::begin(kListFields), std::end(kListFields), name) != std::end(kListFields);
  if (is_list) return NormalisedList(name, request);
  // Most fields are lists, and in those that are not (a date, a comment) nothing hangs on white space at a
  // comma.
  std::vector<std::string> elements;
  for (const std::string_view element : request.ListElements(name)) elements.emplace_back(element);
  return Join(elements, ',');
}

}  // namespace

std::optional<std::string> VaryNames(const HeaderList& response) {
  std::vector<std::string> names;
  for (const std::string_view element : response.ListElements("Vary")) {
    if (element == "*" || EqualsIgnoreCase(element, kOfOneClient)) return std::nullopt;
    names.push_back(ToLower(element));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return Join(names, ',');
}

std::string VariantKey(std::string_view vary_names, const HeaderList& request) {
  std::string key;
  for (const std::string_view name : SplitList(vary_names)) {
    // A value cannot contain a line feed, so that no two lists of values have one key.
    if (request.Has(name)) key.append("=").append(NormalisedValue(name, request));
    key += '\n';
  }
  return key;
}

}  // namespace perigee::http
