#include "services/replica/session/client_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "services/replica/telemetry/tcp_rtt.h"

namespace perigee::replica {
namespace {

constexpr milliseconds kLingerTimeout{2'000};
constexpr size_t kMaxLingerBytes = 1'048'576;

IpAddress AddressOf(const Socket& socket) {
  error_code error;
  const Tcp::endpoint endpoint = socket.remote_endpoint(error);
  const auto address =
      error ? absl::StatusOr<IpAddress>(IpAddress()) : IpAddress::FromSockaddr(endpoint.data());
  return address.ok() ? *address : IpAddress();
}

}  // namespace

ClientStream::ClientStream(Socket socket, DeadlineSweeper& sweeper, const Limits& limits)
    : socket_(std::move(socket)),
      deadline_(sweeper,
                [this] {
                  expired_ = true;
                  CancelRead();
                }),
      limits_(limits),
      client_(AddressOf(socket_)),
      parser_(limits),
      buffer_(kInitialInputBytes, '\0') {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(Tcp::no_delay(true), ignored);
}

bool ClientStream::MakeRoom() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ < buffer_.size()) return true;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    return true;
  }
  if (buffer_.size() > std::max(limits_.max_header_bytes, kReadChunkBytes)) return false;
  buffer_.resize(buffer_.size() * 2);
  return true;
}

Task<ClientStream::Read> ClientStream::Receive() {
  if (!MakeRoom()) {
    rejection_ = {400, "malformed chunk"};
    co_return Read::kRejected;
  }
  const auto space = asio::buffer(buffer_.data() + end_, buffer_.size() - end_);
  auto [error, size] = co_await socket_.async_read_some(space, kAwait);
  end_ += size;
  deadline_.Clear();
  if (!error) co_return Read::kDone;
  if (!expired_) co_return Read::kClosed;
  rejection_ = {408, "the request took too long"};
  co_return Read::kRejected;
}

Task<ClientStream::Read> ClientStream::ReadHead() {
  parser_.Reset();
  bool started = false;
  MonoTime head_deadline;
  for (;;) {
    // Empty lines before a request are skipped (RFC 9112 §2.2).
    while (!started && input().starts_with("\r\n")) begin_ += 2;
    if (const std::string_view bytes = input(); !bytes.empty() && bytes != "\r") {
      const ParseResult result = parser_.ParseHead(bytes);
      begin_ += result.consumed;
      if (result.progress == Progress::kDone) break;
      if (result.progress == Progress::kError) {
        rejection_ = parser_.rejection();
        co_return Read::kRejected;
      }
      if (!started) head_deadline = std::chrono::steady_clock::now() + limits_.header_timeout;
      started = true;
      deadline_.SetAt(head_deadline);
    } else {
      deadline_.SetAfter(limits_.keep_alive_timeout);
    }
    idle_ = !started;
    const Read read = co_await Receive();
    idle_ = false;
    // Idle time is no offence: such a connection is closed without a word.
    if (read != Read::kDone) co_return started ? read : Read::kClosed;
  }
  co_return Read::kDone;
}

Task<ClientStream::Read> ClientStream::ReadBody(std::string* out) {
  const size_t before = out->size();
  while (!body_done()) {
    const ParseResult result = parser_.ParseBody(input(), out);
    begin_ += result.consumed;
    if (result.progress == Progress::kError) {
      rejection_ = parser_.rejection();
      co_return Read::kRejected;
    }
    if (out->size() > before || result.progress == Progress::kDone) break;
    if (buffer_.size() < kReadChunkBytes && begin_ == end_) buffer_.resize(kReadChunkBytes);
    deadline_.SetAfter(limits_.body_timeout);
    const Read read = co_await Receive();
    if (read != Read::kDone) co_return read;
  }
  co_return Read::kDone;
}

std::optional<Rtt> ClientStream::rtt() { return TcpRtt(socket_.native_handle()); }

bool ClientStream::WriteNow(Gather* bytes, bool* failed) {
  error_code error;
  const auto* single = bytes->single();
  const size_t written = single ? socket_.write_some(*single, error) : socket_.write_some(*bytes, error);
  bytes->Advance(written);
  sent_ += written;
  *failed = error && error != asio::error::would_block && error != asio::error::try_again;
  lost_ = lost_ || *failed;
  return !*failed && bytes->empty();
}

Task<bool> ClientStream::Write(Gather bytes) {
  bool failed = false;
  while (!WriteNow(&bytes, &failed)) {
    if (failed) co_return false;
    const bool ready = co_await AwaitRoom();
    if (!ready) co_return false;
  }
  co_return true;
}

Task<bool> ClientStream::AwaitRoom() {
  deadline_.SetAfter(limits_.write_timeout);
  auto [error] = co_await socket_.async_wait(Socket::wait_write, kAwait);
  deadline_.Clear();
  lost_ = lost_ || error;
  co_return !error;
}

void ClientStream::Abort() {
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

void ClientStream::Close() {
  error_code ignored;
  socket_.close(ignored);
}

void ClientStream::CancelRead() {
  error_code ignored;
  socket_.cancel(ignored);
}

Task<void> ClientStream::LingerAndClose() {
  if (lost_) co_return Close();
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  deadline_.SetAfter(kLingerTimeout);
  for (size_t drained = 0; drained < kMaxLingerBytes;) {
    begin_ = end_ = 0;
    const Read read = co_await Receive();
    if (read != Read::kDone) break;
    drained += end_;
  }
  Close();
}

}  // namespace perigee::replica
