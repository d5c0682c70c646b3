#include "services/dns/listener/tcp_connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "lib/dns_wire/constants.h"

namespace perigee::dns {
namespace asio = boost::asio;
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr auto kNever = asio::steady_timer::time_point::max();

// Waits until somebody cancels the timer. False when the coroutine itself is being cancelled.
asio::awaitable<bool> WaitFor(asio::steady_timer& condition) {
  co_await condition.async_wait(kAwait);
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() == asio::cancellation_type::none;
}

}  // namespace

TcpConnection::TcpConnection(asio::ip::tcp::socket socket, const IpAddress& client, TcpLimits limits,
                             Responder* responder, std::span<uint8_t> scratch)
    : socket_(std::move(socket)),
      client_(client),
      limits_(limits),
      responder_(responder),
      scratch_(scratch),
      progress_(socket_.get_executor(), kNever),
      has_answer_(socket_.get_executor(), kNever),
      idle_(socket_.get_executor()),
      last_activity_(std::chrono::steady_clock::now()) {}

asio::awaitable<void> TcpConnection::Serve() {
  using namespace asio::experimental::awaitable_operators;  // NOLINT: the library's way to its operators
  auto first_to_end = ReadQueries() || WriteAnswers() || WatchIdleness();
  co_await std::move(first_to_end);
}

void TcpConnection::Close(TcpClose why) {
  NoteEnd(why);
  boost::system::error_code ignored;
  socket_.close(ignored);
  progress_.cancel();
  has_answer_.cancel();
}

asio::awaitable<void> TcpConnection::ReadQueries() {
  bool more = co_await ReadQuery();
  while (more) {
    Handle(std::span(query_).first(query_size_));
    bool running = true;
    while (running && !may_read()) running = co_await WaitFor(progress_);
    more = false;
    if (running) more = co_await ReadQuery();
  }
  // A client may close its half after its last query and still wait for the answers.
  bool running = socket_.is_open();
  while (running && !drained()) running = co_await WaitFor(progress_);
}

asio::awaitable<bool> TcpConnection::ReadQuery() {
  std::array<uint8_t, 2> prefix;
  const auto [prefix_error, prefix_size] = co_await asio::async_read(socket_, asio::buffer(prefix), kAwait);
  if (prefix_error) co_return false;
  query_size_ = static_cast<size_t>(prefix[0] << 8 | prefix[1]);
  if (query_size_ < kHeaderSize || query_size_ > query_.size()) {
    NoteEnd(TcpClose::kMalformed);
    co_return false;
  }
  const auto [error, size] = co_await asio::async_read(socket_, asio::buffer(query_, query_size_), kAwait);
  co_return !error;
}

void TcpConnection::Handle(std::span<const uint8_t> query) {
  NoteActivity();
  const Asker asker{client_, Transport::kTcp, std::chrono::steady_clock::now()};
  const Outcome outcome = responder_->Answer(query, asker, scratch_);
  if (outcome.action == Action::kSend) {
    Enqueue(scratch_.first(outcome.size));
    responder_->counters().CountLatency(std::chrono::steady_clock::now() - asker.now);
  }
  if (outcome.action == Action::kPark) {
    ++parked_;
    hooks_.park(query, asker);
  }
}

void TcpConnection::Deliver(std::span<const uint8_t> answer) {
  --parked_;
  NoteActivity();
  if (!answer.empty()) Enqueue(answer);
  progress_.cancel();
}

void TcpConnection::Enqueue(std::span<const uint8_t> answer) {
  queued_.push_back(static_cast<uint8_t>(answer.size() >> 8));
  queued_.push_back(static_cast<uint8_t>(answer.size()));
  queued_.insert(queued_.end(), answer.begin(), answer.end());
  has_answer_.cancel();
}

void TcpConnection::NoteActivity() {
  last_activity_ = std::chrono::steady_clock::now();
  hooks_.touch();
}

asio::awaitable<void> TcpConnection::WriteAnswers() {
  while (socket_.is_open()) {
    if (queued_.empty()) {
      const bool running = co_await WaitFor(has_answer_);
      if (!running) co_return;
      continue;
    }
    writing_.swap(queued_);
    const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(writing_), kAwait);
    if (error) co_return;
    writing_.clear();
    NoteActivity();
    progress_.cancel();
  }
}

asio::awaitable<void> TcpConnection::WatchIdleness() {
  while (std::chrono::steady_clock::now() < last_activity_ + limits_.idle_timeout) {
    idle_.expires_at(last_activity_ + limits_.idle_timeout);
    const auto [error] = co_await idle_.async_wait(kAwait);
    if (error) co_return;
  }
  NoteEnd(TcpClose::kIdle);
}

}  // namespace perigee::dns
