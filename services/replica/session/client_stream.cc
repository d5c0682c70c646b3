#include "services/replica/session/client_stream.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "services/replica/telemetry/tcp_rtt.h"

namespace perigee::replica {
namespace {

constexpr milliseconds kLingerTimeout{2'000};
constexpr size_t kMaxLingerBytes = 1'048'576;
// No send is larger than this, or than all before it. A connection's windows open as its acknowledgements
// come, and the kernel looks at those between two sends: they had to wait until all of a first large one was
// copied.
constexpr uint64_t kFirstSend = 131'072;
// 768 KiB a round trip (Linux doubles what it is asked for) are 24 Gbit/s to a client this near.
constexpr Rtt kNear{250};
constexpr int kNearSendBuffer = 384 * 1024;

MonoTime Now() { return std::chrono::steady_clock::now(); }

// The kernel lets a send buffer grow to 4 MiB, which far clients need. What a near one has read is used again
// for the next bytes while the CPU's caches still have it, when there is not so much.
void FitSendBuffer(Socket* socket) {
  const std::optional<Rtt> rtt = TcpRtt(socket->native_handle());
  if (!rtt || *rtt > kNear) return;
  error_code ignored;
  socket->set_option(asio::socket_base::send_buffer_size(kNearSendBuffer), ignored);
}

}  // namespace

ClientStream::ClientStream(Socket socket, const IpAddress& client, DeadlineSweeper& sweeper,
                           const Limits& limits)
    : socket_(std::move(socket)),
      deadline_(sweeper,
                [this] {
                  expired_ = true;
                  CancelRead();
                }),
      limits_(limits),
      client_(client),
      parser_(limits),
      buffer_(kInitialInputBytes, '\0'),
      reading_(limits.body_timeout, limits.min_rate),
      writing_(limits.write_timeout, limits.min_rate) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(Tcp::no_delay(true), ignored);
  FitSendBuffer(&socket_);
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
  received_ += size;
  deadline_.Clear();
  if (!error) co_return Read::kDone;
  if (!expired_) co_return Read::kClosed;
  rejection_ = {408, "the request took too long"};
  co_return Read::kRejected;
}

Task<ClientStream::Read> ClientStream::ReadHead(milliseconds idle) {
  parser_.Reset();
  reading_.Begin(received_);
  writing_.Begin(sent_);
  bool started = false;
  MonoTime head_deadline;
  idle_until_ = Now() + idle;
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
      if (!started) head_deadline = Now() + limits_.header_timeout;
      started = true;
      deadline_.SetAt(head_deadline);
    } else {
      deadline_.SetAt(idle_until_);  // which empty lines do not put off
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
    deadline_.SetAt(reading_.Await(Now(), received_));
    const Read read = co_await Receive();
    reading_.Waited(Now());
    if (read != Read::kDone) co_return read;
  }
  co_return Read::kDone;
}

Task<bool> ClientStream::ReadTunnel(std::string* out) {
  if (begin_ == end_) {
    if (buffer_.size() < kReadChunkBytes) buffer_.resize(kReadChunkBytes);
    const Read read = co_await Receive();
    if (read != Read::kDone) co_return false;
  }
  out->append(input());
  begin_ = end_ = 0;
  co_return true;
}

std::optional<Rtt> ClientStream::rtt() { return TcpRtt(socket_.native_handle()); }

bool ClientStream::WriteNow(Gather* bytes, bool* failed) {
  if (bytes->file() >= 0) return SendFileNow(bytes, failed);
  for (;;) {
    const Gather now = bytes->First(std::max(kFirstSend, sent_));
    error_code error;
    const auto* single = now.single();
    const size_t written = single ? socket_.write_some(*single, error) : socket_.write_some(now, error);
    bytes->Advance(written);
    sent_ += written;
    *failed = error && error != asio::error::would_block && error != asio::error::try_again;
    lost_ = lost_ || *failed;
    if (bytes->empty()) return true;
    if (error || written < now.size()) return false;  // the socket is full
  }
}

bool ClientStream::SendFileNow(Gather* bytes, bool* failed) {
  const int socket = socket_.native_handle();
  while (!bytes->empty()) {
    const asio::const_buffer piece = bytes->front();
    std::optional<off_t> offset = bytes->front_in_file();
    const int more = bytes->single() ? 0 : MSG_MORE;
    const ssize_t sent = offset ? sendfile(socket, bytes->file(), &*offset, piece.size())
                                : send(socket, piece.data(), piece.size(), MSG_NOSIGNAL | more);
    *failed = sent == 0 || (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    lost_ = lost_ || *failed;
    if (sent <= 0) return false;
    bytes->Advance(static_cast<size_t>(sent));
    sent_ += static_cast<size_t>(sent);
    if (static_cast<size_t>(sent) < piece.size()) return false;  // the socket is full
  }
  return true;
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

void ClientStream::LimitIdle(milliseconds idle) {
  idle_until_ = Now() + idle;
  deadline_.SetAt(idle_until_);
}

Task<bool> ClientStream::AwaitRoom() {
  deadline_.SetAt(writing_.Await(Now(), sent_));
  auto [error] = co_await socket_.async_wait(Socket::wait_write, kAwait);
  writing_.Waited(Now());
  deadline_.Clear();
  if (!error) co_return true;
  lost_ = true;
  too_slow_ = expired_;
  co_return false;
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
  if (too_slow_) co_return Abort();  // or the kernel would go on offering what is left
  if (lost_) co_return Close();
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  const MonoTime until = Now() + kLingerTimeout;
  for (size_t drained = 0; drained < kMaxLingerBytes;) {
    begin_ = end_ = 0;
    deadline_.SetAt(until);  // a read clears it
    const Read read = co_await Receive();
    if (read != Read::kDone) break;
    drained += end_;
  }
  Close();
}

}  // namespace perigee::replica
