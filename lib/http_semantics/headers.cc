#include "lib/http_semantics/headers.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace perigee::http {
namespace {

constexpr std::string_view kHopByHop[] = {"connection",
                                          "keep-alive",
                                          "proxy-connection",
                                          "proxy-authentication-info",
                                          "proxy-authenticate",
                                          "proxy-authorization",
                                          "te",
                                          "trailer",
                                          "transfer-encoding",
                                          "upgrade"};
// For all recipients, and no connection's to take away: without them an answer would be shared that must not
// be.
constexpr std::string_view kForAll[] = {"age", "cache-control", "cdn-cache-control", "set-cookie", "vary"};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool IsLineBreakOrNul(char c) { return c == '\r' || c == '\n' || c == '\0'; }

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string ToLower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), Lower);
  return lower;
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string_view> SplitList(std::string_view value) {
  std::vector<std::string_view> elements;
  const auto take = [&](size_t begin, size_t end) {
    const std::string_view element = Trim(value.substr(begin, end - begin));
    if (!element.empty()) elements.push_back(element);
  };
  size_t begin = 0;
  bool quoted = false;
  for (size_t i = 0; i < value.size(); ++i) {
    if (quoted && value[i] == '\\') {
      ++i;
    } else if (value[i] == '"') {
      quoted = !quoted;
    } else if (value[i] == ',' && !quoted) {
      take(begin, i);
      begin = i + 1;
    }
  }
  take(begin, value.size());
  return elements;
}

HeaderList::HeaderList(std::initializer_list<HeaderField> fields) {
  for (const HeaderField& field : fields) Add(field.name, field.value);
}

std::optional<HeaderList> HeaderList::FromText(std::string text) {
  HeaderList list;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find("\r\n", begin);
    const size_t colon = text.find(": ", begin);
    if (end == std::string::npos || colon == std::string::npos || colon >= end) return std::nullopt;
    list.fields_.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(colon - begin),
                            static_cast<uint32_t>(end - colon - 2)});
    begin = end + 2;
  }
  list.text_ = std::move(text);
  return list;
}

void HeaderList::Add(std::string_view name, std::string_view value) {
  value = Trim(value);
  fields_.push_back({static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(name.size()),
                     static_cast<uint32_t>(value.size())});
  text_.append(name).append(": ");
  const size_t value_begin = text_.size();
  text_.append(value);
  std::replace_if(text_.begin() + static_cast<ptrdiff_t>(value_begin), text_.end(), IsLineBreakOrNul, ' ');
  text_.append("\r\n");
}

void HeaderList::Set(std::string_view name, std::string_view value) {
  Remove(name);
  Add(name, value);
}

template <typename Predicate>
size_t HeaderList::RemoveIf(Predicate remove) {
  const size_t before = size();
  HeaderList kept;
  for (const HeaderField field : *this) {
    if (!remove(field)) kept.Add(field.name, field.value);
  }
  const size_t removed = before - kept.size();
  if (removed > 0) *this = std::move(kept);
  return removed;
}

size_t HeaderList::Remove(std::string_view name) {
  if (!Has(name)) return 0;
  return RemoveIf([&](const HeaderField& field) { return EqualsIgnoreCase(field.name, name); });
}

void HeaderList::Clear() {
  text_.clear();
  fields_.clear();
}

void HeaderList::Reserve(size_t fields, size_t text_bytes) {
  fields_.reserve(fields);
  text_.reserve(text_bytes);
}

HeaderField HeaderList::operator[](size_t i) const {
  assert(i < fields_.size());
  const Entry& entry = fields_[i];
  const std::string_view text = text_;
  return {text.substr(entry.begin, entry.name_size),
          text.substr(entry.begin + entry.name_size + 2, entry.value_size)};
}

bool HeaderList::Has(std::string_view name) const { return Get(name).has_value(); }

std::optional<std::string_view> HeaderList::Get(std::string_view name) const {
  for (const HeaderField field : *this) {
    if (EqualsIgnoreCase(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> HeaderList::Values(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const HeaderField field : *this) {
    if (EqualsIgnoreCase(field.name, name)) values.push_back(field.value);
  }
  return values;
}

std::string HeaderList::Combined(std::string_view name) const {
  std::string combined;
  bool first = true;
  for (const std::string_view value : Values(name)) {
    if (!std::exchange(first, false)) combined += ", ";
    combined += value;
  }
  return combined;
}

std::vector<std::string_view> HeaderList::ListElements(std::string_view name) const {
  std::vector<std::string_view> elements;
  for (const std::string_view value : Values(name)) {
    const auto more = SplitList(value);
    elements.insert(elements.end(), more.begin(), more.end());
  }
  return elements;
}

bool HeaderList::ListHas(std::string_view name, std::string_view token) const {
  const auto elements = ListElements(name);
  return std::any_of(elements.begin(), elements.end(),
                     [&](std::string_view element) { return EqualsIgnoreCase(element, token); });
}

void HeaderList::RemoveHopByHop() {
  const auto named = ListElements("Connection");
  RemoveIf([&](const HeaderField& field) {
    const auto is_field = [&](std::string_view name) { return EqualsIgnoreCase(field.name, name); };
    return std::any_of(std::begin(kHopByHop), std::end(kHopByHop), is_field) ||
           (std::any_of(named.begin(), named.end(), is_field) &&
            std::none_of(std::begin(kForAll), std::end(kForAll), is_field));
  });
}

}  // namespace perigee::http
