// One connection to the origin: it sends a request and reads the response, under named time-outs. Belongs to
// one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/replica/address_limit.h"
#include "services/replica/fetch/circuit_breaker.h"
#include "services/replica/fetch/fetch_error.h"
#include "services/replica/fetch/transport.h"
#include "services/replica/http1/parser.h"
#include "services/replica/io/deadline.h"
#include "services/replica/io/gather.h"
#include "services/replica/limits.h"

namespace perigee::replica {

// What a request asks for, as far as it decides which responses there can be and how they are framed
// (RFC 9112 §6.3).
enum class Asks {
  kContent,
  kHeadOnly,  // HEAD: there is no body whatever the fields say
  kUpgrade,   // 101 is a final response, after which the connection is a tunnel
};

// What becomes of an interim response (1xx; RFC 9110 §15.2), never 101.
using InterimSink = std::function<Task<>(http::ResponseHead head)>;

// More interim responses than this before a final one are no HTTP: kMalformed.
inline constexpr int kMaxInterimResponses = 16;

class OriginConnection {
 public:
  // `on_close` runs when the connection is destroyed. `limits`, `sweeper` and `clock` must outlive it.
  OriginConnection(const Executor& executor, DeadlineSweeper& sweeper, const Limits& limits,
                   const Clock& clock, std::function<void()> on_close);
  ~OriginConnection();

  // As Transport::Connect, within connect_timeout.
  Task<FetchError> Connect(const IpAddress& address, uint16_t port, TlsClient* tls, std::string* why);

  // Begins an exchange, and with it the time of fetch_timeout. Holds `place`, which is nothing for an
  // exchange that counts for nobody, until the exchange is over.
  void Begin(Asks asks, CircuitBreaker::Permit permit, std::optional<AddressLimit::Place> place = {});

  // Sends bytes of the request; idle_timeout bounds how long the origin may refuse to take them.
  Task<FetchError> Write(Gather bytes);
  // The request is sent: first_byte_timeout runs from here.
  void AwaitResponse();

  // Reads up to the end of the final response's head; interim ones go to `interim`, or are dropped without.
  // What comes of it is reported to the circuit breaker.
  Task<FetchError> ReadHead(const InterimSink* interim = nullptr);
  http::ResponseHead& head() { return parser_->head(); }
  int minor_version() const { return parser_->minor_version(); }
  const http::ResponseHead& head() const { return parser_->head(); }
  Framing framing() const { return parser_->framing(); }
  uint64_t content_length() const { return parser_->content_length(); }
  // The exchange has failed before its response: the circuit breaker is told. ReadHead has done so itself.
  void ReportFailure(FetchError error);
  // Whether that failure says no more than that the origin has closed a connection which was kept for long,
  // with or without a word (408).
  bool WentStale(FetchError error) const { return error == FetchError::kClosed && exchanges_ > 1 && !heard_; }

  // Appends the next piece of the body to `out`. kNone with nothing appended means that the body is over.
  Task<FetchError> ReadBody(std::string* out);
  bool body_done() const { return parser_->body_done(); }

  // After a 101: appends what came, whatever it is, without a time limit. kClosed: the origin has ended it.
  Task<FetchError> ReadTunnel(std::string* out);

  // Whether another exchange may follow this one on the same connection.
  bool reusable() const;
  // The same, once the rest of the body has been read.
  bool reusable_after_body() const;
  // Puts it away until `until`, when it closes by itself.
  void Park(MonoTime until);
  // Whether a parked connection is still open and silent.
  bool StillGood();

  // On this server's part: that the exchange does not end is not the origin's failure.
  void Close();

 private:
  void Limit(std::chrono::milliseconds step, FetchError kind);
  // What an operation that failed, failed of.
  FetchError Reason(FetchError otherwise) const;
  Task<FetchError> Receive();
  Task<FetchError> ReadFinalHead(const InterimSink* interim);

  Transport transport_;
  Deadline deadline_;
  const Limits& limits_;
  const Clock& clock_;
  std::function<void()> on_close_;
  MonoTime whole_ = MonoTime::max();
  FetchError step_kind_ = FetchError::kNone;
  FetchError expired_ = FetchError::kNone;
  std::optional<ResponseParser> parser_;
  Asks asks_ = Asks::kContent;
  CircuitBreaker::Permit permit_;
  std::optional<AddressLimit::Place> place_;
  bool heard_ = false;  // the origin has sent something since Begin
  bool broken_ = false;
  bool ended_ = false;  // the origin has closed its side
  int exchanges_ = 0;
  WallTime request_time_;
  std::string input_;    // received, not yet parsed
  std::string receive_;  // where a read lands
};

}  // namespace perigee::replica
