#include "services/replica/session/answer.h"

#include <fmt/format.h>

#include "lib/http_semantics/http_date.h"
#include "services/replica/session/request_plan.h"

namespace perigee::replica {
namespace {

void AppendConnection(const AnswerForm& form, std::string* out) {
  if (!form.keep_alive) {
    *out += "Connection: close\r\n";
  } else if (form.client_minor_version == 0) {
    *out += "Connection: keep-alive\r\n";
  }
}

void AppendFieldsWithoutAge(const http::HeaderList& headers, std::string* out) {
  for (const http::HeaderField field : headers) {
    if (!http::EqualsIgnoreCase(field.name, "Age")) AppendField(field.name, field.value, out);
  }
}

}  // namespace

Framing ClientFraming(Framing origin, int client_minor_version) {
  if (origin == Framing::kNone || origin == Framing::kContentLength) return origin;
  return client_minor_version == 0 ? Framing::kUntilClose : Framing::kChunked;
}

void AppendHead(const http::ResponseHead& head, std::optional<std::chrono::seconds> age, Framing framing,
                const http::CacheStatus& status, const AnswerForm& form, std::string* out) {
  AppendStatusLine(head.status, head.reason, out);
  if (age && head.headers.Has("Age")) {
    AppendFieldsWithoutAge(head.headers, out);
  } else {
    *out += head.headers.text();
  }
  if (age) {
    const fmt::format_int seconds(age->count());
    AppendField("Age", {seconds.data(), seconds.size()}, out);
  }
  if (framing == Framing::kChunked) *out += "Transfer-Encoding: chunked\r\n";
  *out += "Cache-Status: ";
  http::AppendCacheStatus(status, out);
  *out += "\r\n";
  AppendConnection(form, out);
  *out += "\r\n";
}

void AppendOwnAnswer(int status, std::string_view why, bool head_request,
                     const http::CacheStatus& cache_status, const AnswerForm& form, WallTime now,
                     std::string* out) {
  const std::string body = fmt::format("{} {}: {}\n", status, ReasonPhrase(status), why);
  http::ResponseHead head{.status = status, .reason = std::string(ReasonPhrase(status))};
  head.headers.Add("Date", http::FormatHttpDate(now));
  head.headers.Add("Content-Type", "text/plain; charset=utf-8");
  head.headers.Add("Content-Length", fmt::format("{}", body.size()));
  if (status == 200 || status == 405) head.headers.Add("Allow", kAllowedMethods);
  if (status == 503) head.headers.Add("Retry-After", "1");
  AppendHead(head, std::nullopt, Framing::kContentLength, cache_status, form, out);
  if (!head_request) *out += body;
}

}  // namespace perigee::replica
