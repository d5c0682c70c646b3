#include "services/replica/fetch/origin_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/write.hpp>
#include <cstring>

namespace perigee::replica {

OriginConnection::OriginConnection(const Executor& executor, DeadlineSweeper& sweeper, const Limits& limits,
                                   const Clock& clock, std::function<void()> on_close)
    : socket_(executor),
      deadline_(sweeper,
                [this] {
                  expired_ =
                      std::chrono::steady_clock::now() >= whole_ ? FetchError::kFetchTimeout : step_kind_;
                  Close();
                }),
      limits_(limits),
      clock_(clock),
      on_close_(std::move(on_close)) {}

OriginConnection::~OriginConnection() {
  Close();
  on_close_();
}

void OriginConnection::Close() {
  broken_ = true;
  error_code ignored;
  socket_.close(ignored);
}

void OriginConnection::Limit(std::chrono::milliseconds step, FetchError kind) {
  step_kind_ = kind;
  deadline_.SetAt(std::min(whole_, std::chrono::steady_clock::now() + step));
}

FetchError OriginConnection::Reason(FetchError otherwise) const {
  return expired_ != FetchError::kNone ? expired_ : otherwise;
}

Task<FetchError> OriginConnection::Connect(const IpAddress& address, uint16_t port) {
  sockaddr_storage raw{};
  const uint32_t length = address.ToSockaddr(port, &raw);
  Tcp::endpoint endpoint;
  endpoint.resize(length);
  std::memcpy(endpoint.data(), &raw, length);

  Limit(limits_.connect_timeout, FetchError::kConnectTimeout);
  auto [error] = co_await socket_.async_connect(endpoint, kAwait);
  deadline_.Clear();
  if (error) co_return Reason(FetchError::kConnect);
  error_code ignored;
  socket_.set_option(Tcp::no_delay(true), ignored);
  co_return FetchError::kNone;
}

void OriginConnection::Begin(bool head_request) {
  ++exchanges_;
  head_request_ = head_request;
  heard_ = false;
  parser_.emplace(limits_, head_request);
  receive_.resize(kReadChunkBytes);
  whole_ = std::chrono::steady_clock::now() + limits_.fetch_timeout;
  request_time_ = clock_.WallNow();
}

Task<FetchError> OriginConnection::Write(Gather bytes) {
  Limit(limits_.idle_timeout, FetchError::kIdleTimeout);
  auto [error, size] = co_await asio::async_write(socket_, bytes, kAwait);
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
  auto [error, size] = co_await socket_.async_read_some(asio::buffer(receive_), kAwait);
  if (size > 0) heard_ = true;
  input_.append(receive_, 0, size);
  if (!error) co_return FetchError::kNone;
  ended_ = error == asio::error::eof;
  co_return Reason(FetchError::kClosed);
}

Task<FetchError> OriginConnection::ReadHead(const InterimSink* interim) {
  int interims = 0;
  for (;;) {
    const ParseResult result = parser_->ParseHead(input_);
    input_.erase(0, result.consumed);
    if (result.progress == Progress::kError) {
      broken_ = true;
      co_return FetchError::kMalformed;
    }
    if (result.progress == Progress::kDone) {
      const int status = head().status;
      if (status >= 200) break;
      // 101: an upgrade that was never asked for.
      if (status == 101 || ++interims > kMaxInterimResponses) {
        broken_ = true;
        co_return FetchError::kMalformed;
      }
      if (interim != nullptr) co_await (*interim)(std::move(head()));
      parser_.emplace(limits_, head_request_);
      continue;
    }
    const FetchError error = co_await Receive();
    if (error != FetchError::kNone) {
      broken_ = true;
      co_return error;
    }
  }
  head().request_time = request_time_;
  head().response_time = clock_.WallNow();
  deadline_.SetAt(whole_);
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
  return !broken_ && parser_ && parser_->body_done() && parser_->keep_alive() && input_.empty();
}

void OriginConnection::Park(MonoTime until) {
  parser_.reset();
  input_ = {};
  receive_ = {};
  whole_ = MonoTime::max();
  deadline_.SetAt(until);
}

bool OriginConnection::StillGood() {
  deadline_.Clear();
  if (!socket_.is_open()) return false;
  char byte;
  const ssize_t n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace perigee::replica
