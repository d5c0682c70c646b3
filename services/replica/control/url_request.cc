#include "services/replica/control/url_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "lib/http_semantics/surrogate_tags.h"

namespace perigee::replica {
namespace {

// Of what a caller gave, in messages and logs.
constexpr size_t kMaxNamedBytes = 200;
constexpr size_t kMaxNamed = 3;

bool IsVisible(char c) { return c > ' ' && c != '\x7f'; }

absl::Status Malformed(std::string_view url, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", url.substr(0, kMaxNamedBytes), why));
}

absl::Status AppendKeys(const google::protobuf::RepeatedPtrField<std::string>& urls,
                        const std::string& key_base, std::vector<std::string>* out) {
  for (const std::string& url : urls) {
    const auto path = PathOfUrl(url);
    if (!path.ok()) return path.status();
    out->push_back(key_base + *path);
  }
  return absl::OkStatus();
}

absl::Status CheckCount(int count) {
  if (static_cast<size_t>(count) <= kMaxUrlsPerCall) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} names in one call are more than {}: make several calls", count, kMaxUrlsPerCall));
}

}  // namespace

absl::StatusOr<std::string> PathOfUrl(std::string_view url) {
  if (url.size() > kMaxUrlBytes) return Malformed(url, fmt::format("longer than {} bytes", kMaxUrlBytes));
  if (!std::all_of(url.begin(), url.end(), IsVisible)) {
    return Malformed(absl::CHexEscape(absl::string_view(url.data(), std::min(url.size(), kMaxNamedBytes))),
                     "has spaces, control characters or what is not ASCII; percent-encode them");
  }
  if (url.find('#') != std::string_view::npos) return Malformed(url, "a fragment (#) never reaches a server");
  if (url.starts_with('/')) return std::string(url);
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!http::EqualsIgnoreCase(url.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = url.substr(scheme.size());
    const size_t path = std::min(rest.find_first_of("/?"), rest.size());
    if (path == 0) return Malformed(url, "has no host");
    return (rest.substr(path, 1) == "/" ? "" : "/") + std::string(rest.substr(path));
  }
  return Malformed(url, "neither http://HOST/PATH nor /PATH");
}

std::string_view AuthorityOfUrl(std::string_view url) {
  if (url.starts_with('/')) return "";
  const std::string_view rest = url.substr(url.find("://") + 3);
  return rest.substr(0, rest.find_first_of("/?"));
}

absl::StatusOr<PurgeSelection> SelectionFrom(const v1::PurgeRequest& request, const std::string& key_base) {
  const int names = request.urls_size() + request.prefixes_size() + request.tags_size();
  if (absl::Status status = CheckCount(names); !status.ok()) return status;
  if (names == 0 && !request.everything()) {
    return absl::InvalidArgumentError("nothing to purge: name urls, prefixes or tags, or say everything");
  }
  PurgeSelection selection;
  absl::Status status = AppendKeys(request.urls(), key_base, &selection.keys);
  if (status.ok()) status = AppendKeys(request.prefixes(), key_base, &selection.prefixes);
  if (!status.ok()) return status;
  for (const std::string& tag : request.tags()) {
    if (!http::IsTag(tag)) {
      return absl::InvalidArgumentError(
          fmt::format("a tag is 1 to {} visible ASCII characters: \"{}\" is none", http::kMaxTagBytes,
                      tag.substr(0, kMaxNamedBytes)));
    }
    selection.tags.push_back(tag);
  }
  if (request.everything()) selection.prefixes.emplace_back();
  return selection;
}

std::string Summary(const v1::PurgeRequest& request) {
  std::vector<std::string> named;
  if (request.everything()) named.emplace_back("everything");
  for (const std::string& url : request.urls()) named.push_back(url.substr(0, kMaxNamedBytes));
  for (const std::string& prefix : request.prefixes())
    named.push_back("prefix " + prefix.substr(0, kMaxNamedBytes));
  for (const std::string& tag : request.tags()) named.push_back("tag " + tag);
  const size_t more = named.size() - std::min(named.size(), kMaxNamed);
  named.resize(named.size() - more);
  return fmt::format("{}{}", fmt::join(named, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

absl::StatusOr<WarmJob> WarmJobFrom(const v1::WarmRequest& request) {
  if (request.urls_size() == 0) return absl::InvalidArgumentError("nothing to warm: name urls");
  if (absl::Status status = CheckCount(request.urls_size()); !status.ok()) return status;
  if (request.concurrency() > kMaxWarmConcurrency) {
    return absl::InvalidArgumentError(
        fmt::format("concurrency: {} is more than {}", request.concurrency(), kMaxWarmConcurrency));
  }
  WarmJob job;
  job.accept_encoding = request.accept_encoding();
  const auto printable = [](char c) { return c == ' ' || IsVisible(c); };
  if (job.accept_encoding.size() > kMaxAcceptEncodingBytes ||
      !std::all_of(job.accept_encoding.begin(), job.accept_encoding.end(), printable)) {
    return absl::InvalidArgumentError(
        fmt::format("accept_encoding: at most {} printable characters", kMaxAcceptEncodingBytes));
  }
  if (request.concurrency() > 0) job.concurrency = request.concurrency();
  for (const std::string& url : request.urls()) {
    auto path = PathOfUrl(url);
    if (!path.ok()) return path.status();
    job.urls.push_back(url);
    job.paths.push_back(*std::move(path));
  }
  return job;
}

}  // namespace perigee::replica
