// One list of URLs, fetched through the server's own front door: a client on a thread of its own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "lib/base/address.h"
#include "perigee/v1/replica.pb.h"
#include "services/replica/control/url_request.h"
#include "services/replica/fetch/origin_connection.h"

namespace perigee::replica {

// Pure: what an answer's Cache-Status says about its having been stored.
v1::WarmOutcome OutcomeOf(int status, std::string_view cache_status);

class WarmRun {
 public:
  // `server`: where it listens; `host`: what the Host field says for URLs that are a path
  // alone. `result` is called for each URL that was
  // tried, then `done` once, both on the run's thread, which is over soon after. `clock` must outlive this.
  WarmRun(WarmJob job, const IpEndpoint& server, std::string host, const Clock& clock,
          std::function<void(v1::WarmResult)> result, std::function<void()> done);
  // Join must have been called.
  ~WarmRun();

  // Thread-safe: tries no further URL and cuts off what is under way.
  void Cancel();
  // Whether Join will not wait long. Thread-safe.
  bool over() const { return over_; }
  // Not on the run's thread.
  void Join();

 private:
  Task<> Work();
  Task<v1::WarmResult> FetchOne(size_t index);
  Task<FetchError> Exchange(OriginConnection& connection, std::string request, v1::WarmResult* result);
  std::string RequestFor(size_t index) const;

  const WarmJob job_;
  const IpEndpoint server_;
  const std::string host_;
  const Clock& clock_;
  const std::function<void(v1::WarmResult)> result_;
  const std::function<void()> done_;
  const Limits limits_;

  // Of the run's thread.
  asio::io_context io_{1};
  DeadlineSweeper sweeper_;
  size_t next_ = 0;
  size_t working_ = 0;
  bool cancelled_ = false;
  std::set<OriginConnection*> open_;

  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace perigee::replica
