#include "services/replica/telemetry/recorder.h"

namespace perigee::replica {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

std::string_view First(const RequestHead& request, std::string_view name) {
  return request.headers.Get(name).value_or(std::string_view());
}

}  // namespace

void Recorder::Begin(uint64_t sent) {
  began_ = telemetry_.clock.Now();
  sent_before_ = sent_before_body_ = sent;
  status_ = 0;
  upstream_.reset();
}

void Recorder::Answer(int status, const http::CacheStatus& cache, std::string_view bytes, uint64_t sent) {
  status_ = status;
  cache_ = cache;
  if (telemetry_.access_log == nullptr) return;
  const size_t end = bytes.find("\r\n\r\n");
  sent_before_body_ = sent + (end == std::string_view::npos ? bytes.size() : end + 4);
}

void Recorder::OriginSaid(FetchError error) {
  if (WasNotAsked(error)) return telemetry_.counters.CountOriginFailure(error);
  const auto took = telemetry_.clock.Now() - asked_;
  upstream_ = upstream_.value_or(std::chrono::nanoseconds::zero()) + took;
  Counters& counters = telemetry_.counters;
  counters.origin_requests.Add();
  if (error == FetchError::kNone) {
    counters.origin_latency.Count(took);
  } else {
    counters.CountOriginFailure(error);
  }
}

void Recorder::End(const RequestHead& request, uint64_t sent) {
  const std::chrono::nanoseconds total = telemetry_.clock.Now() - began_;
  Counters& counters = telemetry_.counters;
  counters.by_method[ClassOfMethod(request.method)].Add();
  counters.by_status[ClassOfStatus(status_)].Add();
  counters.sent_bytes.Add(sent - sent_before_);
  if (status_ != 0) {
    counters.CountForward(cache_.forward);
    if (cache_.forward == http::Forward::kNone) {
      counters.by_tier[cache_.detail == "disk" ? HitTier::kDisk : HitTier::kMemory].Add();
      counters.hit_latency.Count(total);
    } else {
      if (status_ != 101) counters.forwarded_latency.Count(total);  // a tunnel ends when its ends like
      if (cache_.detail == kRejectedDetail) counters.refused[RefusalOf(status_)].Add();
    }
  }
  if (telemetry_.access_log != nullptr) Log(request, sent, total);
}

void Recorder::Log(const RequestHead& request, uint64_t sent, std::chrono::nanoseconds total) {
  AccessEntry entry{.time = telemetry_.clock.WallNow() - duration_cast<WallTime::duration>(total),
                    .client = client_,
                    .method = request.method,
                    .target = request.target,
                    .minor_version = request.minor_version,
                    .status = status_,
                    .bytes = sent > sent_before_body_ ? sent - sent_before_body_ : 0,
                    .host = First(request, "Host"),
                    .referer = First(request, "Referer"),
                    .user_agent = First(request, "User-Agent"),
                    .cache = status_ == 0 ? http::CacheStatus() : cache_,
                    .total = duration_cast<microseconds>(total)};
  if (upstream_) entry.upstream = duration_cast<microseconds>(*upstream_);
  AccessLog::Push(entry, *telemetry_.access_log);
}

}  // namespace perigee::replica
