#include "services/replica/control/warm_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cassert>

namespace perigee::replica {
namespace {

// The server's own time-outs towards the origin come first and tell more.
Limits WarmLimits() {
  Limits limits;
  limits.first_byte_timeout = milliseconds(60'000);
  limits.idle_timeout = milliseconds(60'000);
  return limits;
}

}  // namespace

v1::WarmOutcome OutcomeOf(int status, std::string_view cache_status) {
  const auto says = [&](std::string_view what) { return cache_status.find(what) != std::string_view::npos; };
  if (status >= 500 || status == 421) return v1::WARM_OUTCOME_FAILED;
  if (says("; hit")) return v1::WARM_OUTCOME_HIT;
  if (says("; stored")) return v1::WARM_OUTCOME_STORED;
  if (says("; fwd-status=304")) return v1::WARM_OUTCOME_REVALIDATED;
  if (says("; collapsed")) return v1::WARM_OUTCOME_JOINED;
  return v1::WARM_OUTCOME_NOT_STORED;
}

WarmRun::WarmRun(WarmJob job, const IpEndpoint& server, std::string host, const Clock& clock,
                 std::function<void(v1::WarmResult)> result, std::function<void()> done)
    : job_(std::move(job)),
      server_(server),
      host_(std::move(host)),
      clock_(clock),
      result_(std::move(result)),
      done_(std::move(done)),
      limits_(WarmLimits()),
      sweeper_(io_.get_executor()) {
  sweeper_.Start();
  working_ = std::min(job_.concurrency, job_.paths.size());
  for (size_t i = 0; i < working_; ++i) asio::co_spawn(io_, Work(), asio::detached);
  thread_ = std::thread([this] {
    io_.run();
    done_();
    over_ = true;
  });
}

WarmRun::~WarmRun() { assert(!thread_.joinable()); }

void WarmRun::Cancel() {
  asio::post(io_, [this] {
    cancelled_ = true;
    for (OriginConnection* connection : open_) connection->Close();
  });
}

void WarmRun::Join() {
  if (thread_.joinable()) thread_.join();
}

Task<> WarmRun::Work() {
  while (!cancelled_ && next_ < job_.paths.size()) {
    const size_t index = next_++;
    v1::WarmResult result = co_await FetchOne(index);
    if (!cancelled_) result_(std::move(result));
  }
  if (--working_ == 0) sweeper_.Stop();
}

std::string WarmRun::RequestFor(size_t index) const {
  const std::string& path = job_.paths[index];
  std::string_view host = AuthorityOfUrl(job_.urls[index]);
  if (host.empty()) host = host_;
  std::string encoding;
  if (!job_.accept_encoding.empty()) encoding = fmt::format("Accept-Encoding: {}\r\n", job_.accept_encoding);
  return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: perigee-warm\r\nConnection: close\r\n{}\r\n",
                     path, host, encoding);
}

Task<v1::WarmResult> WarmRun::FetchOne(size_t index) {
  const MonoTime began = clock_.Now();
  v1::WarmResult result;
  result.set_url(job_.urls[index]);
  OriginConnection connection(io_.get_executor(), sweeper_, limits_, clock_, [] {});
  open_.insert(&connection);
  std::string request = RequestFor(index);
  const FetchError error = co_await Exchange(connection, std::move(request), &result);
  open_.erase(&connection);
  if (error != FetchError::kNone) {
    result.set_outcome(v1::WARM_OUTCOME_FAILED);
    result.set_detail(std::string(Name(error)));
  } else {
    result.set_outcome(OutcomeOf(static_cast<int>(result.status()), result.detail()));
  }
  result.set_elapsed_ms(
      static_cast<uint32_t>(std::chrono::duration_cast<milliseconds>(clock_.Now() - began).count()));
  co_return result;
}

Task<FetchError> WarmRun::Exchange(OriginConnection& connection, std::string request,
                                   v1::WarmResult* result) {
  FetchError error = co_await connection.Connect(server_.address, server_.port, nullptr, nullptr);
  if (error != FetchError::kNone) co_return error;
  connection.Begin(Asks::kContent, {});
  error = co_await connection.Write(Gather(request));
  if (error != FetchError::kNone) co_return error;
  connection.AwaitResponse();
  error = co_await connection.ReadHead();
  if (error != FetchError::kNone) co_return error;
  result->set_status(static_cast<uint32_t>(connection.head().status));
  result->set_detail(connection.head().headers.Combined("Cache-Status"));
  uint64_t bytes = 0;
  std::string piece;
  while (error == FetchError::kNone && !connection.body_done()) {
    piece.clear();
    error = co_await connection.ReadBody(&piece);
    bytes += piece.size();
    if (piece.empty()) break;
  }
  result->set_bytes(bytes);
  co_return error;
}

}  // namespace perigee::replica
