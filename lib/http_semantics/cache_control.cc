#include "lib/http_semantics/cache_control.h"

#include <algorithm>

#include "lib/base/parse.h"

namespace perigee::http {
namespace {

using std::chrono::seconds;

struct Directive {
  std::string_view name;
  std::optional<std::string> argument;  // unquoted
};

std::string Unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
  std::string plain;
  const std::string_view inside = text.substr(1, text.size() - 2);
  for (size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] == '\\' && i + 1 < inside.size()) ++i;
    plain += inside[i];
  }
  return plain;
}

Directive ParseDirective(std::string_view element) {
  const size_t equals = element.find('=');
  if (equals == std::string_view::npos) return {element, std::nullopt};
  return {element.substr(0, equals), Unquote(element.substr(equals + 1))};
}

void SetOnce(std::optional<seconds>* field, seconds value) {
  if (!*field) *field = value;
}

seconds DeltaOrStale(const Directive& directive) {
  return ParseDeltaSeconds(directive.argument.value_or("")).value_or(seconds(0));
}

// no-cache and private: with field names they concern these fields alone.
void SetFlagOrFields(const Directive& directive, bool* flag, std::vector<std::string>* fields) {
  const std::string argument = directive.argument.value_or("");
  const auto names = SplitList(argument);
  if (names.empty()) *flag = true;
  for (const std::string_view name : names) fields->push_back(ToLower(name));
}

void ApplyArgument(const Directive& directive, CacheControl* out) {
  const auto is = [&](std::string_view name) { return EqualsIgnoreCase(directive.name, name); };
  if (is("max-age")) {
    SetOnce(&out->max_age, DeltaOrStale(directive));
  } else if (is("s-maxage")) {
    SetOnce(&out->s_maxage, DeltaOrStale(directive));
  } else if (is("min-fresh")) {
    if (const auto delta = ParseDeltaSeconds(directive.argument.value_or("")))
      SetOnce(&out->min_fresh, *delta);
  } else if (is("stale-while-revalidate") || is("stale-if-error")) {
    auto* window = is("stale-if-error") ? &out->stale_if_error : &out->stale_while_revalidate;
    if (const auto delta = ParseDeltaSeconds(directive.argument.value_or(""))) SetOnce(window, *delta);
  } else if (is("max-stale")) {
    const auto delta = directive.argument ? ParseDeltaSeconds(*directive.argument) : seconds::max();
    if (delta) SetOnce(&out->max_stale, *delta);
  } else if (is("no-cache")) {
    SetFlagOrFields(directive, &out->no_cache, &out->no_cache_fields);
  } else if (is("private")) {
    SetFlagOrFields(directive, &out->is_private, &out->private_fields);
  }
}

bool* Flag(std::string_view name, CacheControl* out) {
  const std::pair<std::string_view, bool*> flags[] = {
      {"no-store", &out->no_store},
      {"public", &out->is_public},
      {"must-revalidate", &out->must_revalidate},
      {"proxy-revalidate", &out->proxy_revalidate},
      {"must-understand", &out->must_understand},
      {"only-if-cached", &out->only_if_cached},
  };
  for (const auto& [flag_name, flag] : flags) {
    if (EqualsIgnoreCase(name, flag_name)) return flag;
  }
  return nullptr;
}

}  // namespace

std::optional<seconds> ParseDeltaSeconds(std::string_view text) {
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (text.empty() || !digits) return std::nullopt;
  const auto value = ParseNumber<uint64_t>(text);
  if (!value || *value > static_cast<uint64_t>(kMaxDelta.count())) return kMaxDelta;
  return seconds(*value);
}

CacheControl ParseCacheControl(const HeaderList& headers) {
  CacheControl result;
  for (const std::string_view element : headers.ListElements("Cache-Control")) {
    const Directive directive = ParseDirective(element);
    if (bool* flag = Flag(directive.name, &result)) {
      *flag = true;
    } else {
      ApplyArgument(directive, &result);
    }
  }
  return result;
}

CacheControl ParseRequestCacheControl(const HeaderList& headers) {
  CacheControl result = ParseCacheControl(headers);
  if (headers.ListHas("Pragma", "no-cache") && !headers.Has("Cache-Control")) result.no_cache = true;
  return result;
}

}  // namespace perigee::http
