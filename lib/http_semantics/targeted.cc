#include "lib/http_semantics/targeted.h"

#include <algorithm>

#include "lib/http_semantics/structured.h"

namespace perigee::http {
namespace {

using std::chrono::seconds;
using Type = StructuredValue::Type;

std::optional<seconds>* Duration(std::string_view name, CacheControl* out) {
  if (name == "max-age") return &out->max_age;
  if (name == "s-maxage") return &out->s_maxage;
  if (name == "stale-while-revalidate") return &out->stale_while_revalidate;
  if (name == "stale-if-error") return &out->stale_if_error;
  return nullptr;
}

bool* Flag(std::string_view name, CacheControl* out) {
  if (name == "no-store") return &out->no_store;
  if (name == "no-cache") return &out->no_cache;
  if (name == "private") return &out->is_private;
  if (name == "public") return &out->is_public;
  if (name == "must-revalidate") return &out->must_revalidate;
  if (name == "proxy-revalidate") return &out->proxy_revalidate;
  if (name == "must-understand") return &out->must_understand;
  return nullptr;
}

// no-cache and private with field names concern these fields alone. A token is one that should have been a
// string: to drop a field too many does no harm.
bool AddFieldNames(std::string_view name, const StructuredValue& value, CacheControl* out) {
  auto* fields = name == "no-cache"  ? &out->no_cache_fields
                 : name == "private" ? &out->private_fields
                                     : nullptr;
  const bool names =
      value.type == Type::kString || value.type == Type::kToken || value.type == Type::kInnerList;
  if (fields == nullptr || !names) return false;
  for (const std::string_view field : SplitList(value.text)) fields->push_back(ToLower(field));
  for (const std::string& field : value.items) fields->push_back(ToLower(field));
  return true;
}

// False, and nothing changed, when the argument is not of the directive's type. What is unknown is ignored.
bool Apply(std::string_view name, const StructuredValue& value, CacheControl* out) {
  if (auto* duration = Duration(name, out)) {
    if (value.type != Type::kInteger) return false;
    *duration = std::clamp(seconds(value.integer), seconds(0), kMaxDelta);
    return true;
  }
  if (AddFieldNames(name, value, out)) return true;
  bool* flag = Flag(name, out);
  if (flag == nullptr) return true;
  if (value.type != Type::kBoolean) return false;
  *flag = value.boolean;
  return true;
}

std::optional<CacheControl> ParseCdnCacheControl(const HeaderList& response) {
  if (!response.Has("CDN-Cache-Control")) return std::nullopt;
  const auto members = ParseStructuredDictionary(response.Combined("CDN-Cache-Control"));
  if (!members || members->empty()) return std::nullopt;
  CacheControl result{.targeted = true};
  size_t applied = 0;
  for (const auto& [name, value] : *members) applied += Apply(name, value, &result) ? 1 : 0;
  if (applied == 0) return std::nullopt;
  return result;
}

// "max-age=60;other" is for the surrogate named other, "max-age=60+30" allows 30 s of staleness beside.
std::optional<CacheControl> ParseSurrogateControl(const HeaderList& response) {
  std::string ours;
  for (const std::string_view element : response.ListElements("Surrogate-Control")) {
    const size_t semicolon = element.find(';');
    const bool targets = semicolon != std::string_view::npos;
    if (targets && Trim(element.substr(semicolon + 1)) != kSurrogateName) continue;
    const std::string_view directive = Trim(element.substr(0, semicolon));
    if (!ours.empty()) ours += ", ";
    ours += directive.substr(0, directive.find('+'));
  }
  if (ours.empty()) return std::nullopt;
  CacheControl result = ParseCacheControl(HeaderList{{"Cache-Control", ours}});
  result.targeted = true;
  return result;
}

}  // namespace

CacheControl ParseResponseCacheControl(const HeaderList& response) {
  if (auto targeted = ParseCdnCacheControl(response)) return *std::move(targeted);
  if (auto targeted = ParseSurrogateControl(response)) return *std::move(targeted);
  return ParseCacheControl(response);
}

}  // namespace perigee::http
