#include "services/replica/fetch/origin_request.h"

#include <fmt/format.h>

#include "lib/base/parse.h"
#include "lib/http_semantics/http_date.h"
#include "lib/http_semantics/surrogate_tags.h"
#include "lib/http_semantics/targeted.h"
#include "services/replica/fetch/unkeyed_fields.h"

namespace perigee::replica {
namespace {

constexpr std::string_view kHttpScheme = "http://";

std::string Via(int minor_version) { return fmt::format("1.{} {}", minor_version, kViaName); }

// RFC 9110 §7.6.2. What is no number is left to the origin.
void CountDownForwards(http::HeaderList* fields) {
  const auto hops = fields->Get("Max-Forwards");
  const auto number = hops ? ParseNumber<uint64_t>(*hops) : std::nullopt;
  if (number && *number > 0) fields->Set("Max-Forwards", fmt::format("{}", *number - 1));
}

}  // namespace

std::optional<std::string_view> PathOf(std::string_view target) {
  if (target.find('#') != std::string_view::npos) return std::nullopt;
  if (target.starts_with('/') || target == "*") return target;
  if (!http::EqualsIgnoreCase(target.substr(0, kHttpScheme.size()), kHttpScheme)) return std::nullopt;
  const std::string_view rest = target.substr(kHttpScheme.size());
  const size_t slash = rest.find('/');
  if (rest.empty() || slash == 0) return std::nullopt;
  if (slash != std::string_view::npos) return rest.substr(slash);
  if (rest.find('?') != std::string_view::npos) return std::nullopt;
  return "/";
}

http::HeaderList OriginFields(const RequestHead& request, const OriginAddress& origin,
                              const IpAddress& client) {
  http::HeaderList fields = request.headers;
  fields.RemoveHopByHop();
  fields.Remove("Content-Length");
  fields.Remove("Expect");
  fields.Set("Host", origin.authority);
  RemoveUnkeyedFields(request.method, client, &fields);
  if (request.method == "OPTIONS") CountDownForwards(&fields);
  fields.Add("Via", Via(request.minor_version));
  fields.Set("Surrogate-Capability", http::kSurrogateCapability);
  return fields;
}

std::string OriginRequestText(const RequestHead& request, std::string_view path,
                              const http::HeaderList& fields, bool with_body) {
  std::string text;
  text.reserve(request.method.size() + path.size() + fields.text().size() + 64);
  text.append(request.method).append(" ").append(path).append(" HTTP/1.1\r\n").append(fields.text());
  if (with_body && request.chunked) {
    AppendField("Transfer-Encoding", "chunked", &text);
  } else if (with_body && request.content_length) {
    AppendField("Content-Length", fmt::format("{}", *request.content_length), &text);
  }
  return text += "\r\n";
}

void PrepareResponse(http::ResponseHead* head, int origin_minor_version) {
  head->headers.RemoveHopByHop();
  std::optional<std::string> tags = http::TakeSurrogateTags(&head->headers);
  head->bad_tags = !tags;
  if (tags) head->tags = *std::move(tags);
  if (head->status == 204) head->headers.Remove("Content-Length");
  if (!head->headers.Has("Date")) head->headers.Add("Date", http::FormatHttpDate(head->response_time));
  head->headers.Add("Via", Via(origin_minor_version));
}

}  // namespace perigee::replica
