#include "services/replica/fetch/origin_connection.h"

#include <algorithm>

namespace perigee::replica {

OriginConnection::OriginConnection(const Executor& executor, DeadlineSweeper& sweeper, const Limits& limits,
                                   const Clock& clock, std::function<void()> on_close)
    : transport_(executor),
      deadline_(sweeper,
                [this] {
                  expired_ =
                      std::chrono::steady_clock::now() >= whole_ ? FetchError::kFetchTimeout : step_kind_;
                  broken_ = true;
                  transport_.Close();
                }),
      limits_(limits),
      clock_(clock),
      on_close_(std::move(on_close)) {}

OriginConnection::~OriginConnection() {
  Close();
  on_close_();
}

void OriginConnection::Close() {
  permit_ = {};
  broken_ = true;
  transport_.Close();
}

void OriginConnection::Limit(std::chrono::milliseconds step, FetchError kind) {
  step_kind_ = kind;
  deadline_.SetAt(std::min(whole_, std::chrono::steady_clock::now() + step));
}

FetchError OriginConnection::Reason(FetchError otherwise) const {
  return expired_ != FetchError::kNone ? expired_ : otherwise;
}

Task<FetchError> OriginConnection::Connect(const IpAddress& address, uint16_t port, TlsClient* tls,
                                           std::string* why) {
  Limit(limits_.connect_timeout, FetchError::kConnectTimeout);
  const FetchError error = co_await transport_.Connect(address, port, tls, why);
  deadline_.Clear();
  co_return error == FetchError::kNone ? error : Reason(error);
}

void OriginConnection::Begin(Asks asks, CircuitBreaker::Permit permit,
                             std::optional<AddressLimit::Place> place) {
  ++exchanges_;
  asks_ = asks;
  permit_ = std::move(permit);
  place_.reset();
  if (place) place_.emplace(*std::move(place));
  heard_ = false;
  parser_.emplace(limits_, asks_ == Asks::kHeadOnly);
  receive_.resize(kReadChunkBytes);
  whole_ = std::chrono::steady_clock::now() + limits_.fetch_timeout;
  request_time_ = clock_.WallNow();
}

Task<FetchError> OriginConnection::Write(Gather bytes) {
  Limit(limits_.idle_timeout, FetchError::kIdleTimeout);
  auto [error, size] = co_await transport_.WriteAll(bytes);
  deadline_.SetAt(whole_);
  if (!error) co_return FetchError::kNone;
  broken_ = true;
  co_return Reason(FetchError::kClosed);
}

void OriginConnection::AwaitResponse() {
  if (!heard_) Limit(limits_.first_byte_timeout, FetchError::kFirstByteTimeout);
}

Task<FetchError> OriginConnection::Receive() {
  if (input_.size() > limits_.max_response_header_bytes) co_return FetchError::kMalformed;
  auto [error, size] = co_await transport_.Read(asio::buffer(receive_));
  if (size > 0) heard_ = true;
  input_.append(receive_, 0, size);
  if (!error) co_return FetchError::kNone;
  ended_ = error == asio::error::eof;
  co_return Reason(FetchError::kClosed);
}

Task<FetchError> OriginConnection::ReadHead(const InterimSink* interim) {
  const FetchError error = co_await ReadFinalHead(interim);
  if (error != FetchError::kNone) {
    broken_ = true;
    ReportFailure(error);
    co_return error;
  }
  permit_.Report(error, std::chrono::steady_clock::now());
  head().request_time = request_time_;
  head().response_time = clock_.WallNow();
  deadline_.SetAt(whole_);
  co_return FetchError::kNone;
}

Task<FetchError> OriginConnection::ReadFinalHead(const InterimSink* interim) {
  int interims = 0;
  for (;;) {
    const ParseResult result = parser_->ParseHead(input_);
    input_.erase(0, result.consumed);
    if (result.progress == Progress::kError) co_return FetchError::kMalformed;
    if (result.progress == Progress::kDone) {
      const int status = head().status;
      if (status < 100) co_return FetchError::kMalformed;
      if (status == 408 && exchanges_ > 1) {  // about the idle time before this request (RFC 9110 §15.5.9)
        heard_ = false;
        co_return FetchError::kClosed;
      }
      if (status >= 200) co_return FetchError::kNone;
      if (status == 101) {
        if (asks_ != Asks::kUpgrade) co_return FetchError::kMalformed;
        whole_ = MonoTime::max();  // a tunnel lasts as long as it is used
        co_return FetchError::kNone;
      }
      if (++interims > kMaxInterimResponses) co_return FetchError::kMalformed;
      if (interim != nullptr) co_await (*interim)(std::move(head()));
      parser_.emplace(limits_, asks_ == Asks::kHeadOnly);
      continue;
    }
    const FetchError error = co_await Receive();
    if (error != FetchError::kNone) co_return error;
  }
}

void OriginConnection::ReportFailure(FetchError error) {
  if (!WentStale(error)) permit_.Report(error, std::chrono::steady_clock::now());
}

Task<FetchError> OriginConnection::ReadTunnel(std::string* out) {
  if (input_.empty()) {
    const FetchError error = co_await Receive();
    if (error != FetchError::kNone) co_return error;
  }
  out->append(input_);
  input_.clear();
  co_return FetchError::kNone;
}

Task<FetchError> OriginConnection::ReadBody(std::string* out) {
  const size_t before = out->size();
  while (!body_done()) {
    const ParseResult result = parser_->ParseBody(input_, out);
    input_.erase(0, result.consumed);
    if (result.progress == Progress::kError) {
      broken_ = true;
      co_return FetchError::kMalformed;
    }
    if (out->size() > before || result.progress == Progress::kDone) break;
    Limit(limits_.idle_timeout, FetchError::kIdleTimeout);
    const FetchError error = co_await Receive();
    deadline_.SetAt(whole_);
    if (error == FetchError::kNone) continue;
    broken_ = true;
    if (ended_ && parser_->ParseEnd() == Progress::kDone) break;
    co_return error == FetchError::kClosed ? FetchError::kCutShort : error;
  }
  co_return FetchError::kNone;
}

bool OriginConnection::reusable() const {
  return reusable_after_body() && parser_->body_done() && input_.empty();
}

bool OriginConnection::reusable_after_body() const { return !broken_ && parser_ && parser_->keep_alive(); }

void OriginConnection::Park(MonoTime until) {
  place_.reset();
  parser_.reset();
  input_ = {};
  receive_ = {};
  whole_ = MonoTime::max();
  deadline_.SetAt(until);
}

bool OriginConnection::StillGood() {
  deadline_.Clear();
  return transport_.IsSilent();
}

}  // namespace perigee::replica
