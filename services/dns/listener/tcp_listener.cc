#include "services/dns/listener/tcp_listener.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "services/dns/listener/connection_table.h"
#include "services/dns/listener/tcp_connection.h"

namespace perigee::dns {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
// After an accept that failed, such as for want of file descriptors.
constexpr std::chrono::milliseconds kAcceptPause{20};
constexpr int kSingleThreaded = 1;
// How often the thread lets go of what has been replaced.
constexpr std::chrono::seconds kLookAroundInterval = kLifeSignInterval;

MonoTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

// What lives on the listener's thread. Everything but PostAnswer and Stop is called there.
class TcpServer {
 public:
  TcpServer(const TcpOptions& options, std::unique_ptr<Responder> responder)
      : options_(options),
        counters_(options.counters == nullptr ? unread_ : *options.counters),
        life_((options.life == nullptr ? unread_life_ : *options.life).Add("the TCP loop", Now())),
        responder_(std::move(responder)),
        table_(options.max_connections, options.max_connections_per_client),
        scratch_(AnswerCapacity(Transport::kTcp)),
        context_(kSingleThreaded) {
    asio::co_spawn(context_, LookAround(), asio::detached);
  }

  void Listen(Socket socket, bool v4) {
    acceptors_.emplace_back(context_, v4 ? tcp::v4() : tcp::v6(), socket.Release());
    asio::co_spawn(context_, Accept(acceptors_.back()), asio::detached);
  }

  // Returns once stopped and every connection has ended.
  void Run() { context_.run(); }

  void Stop() {
    asio::post(context_, [this] {
      stopping_ = true;
      for (tcp::acceptor& acceptor : acceptors_) acceptor.close();
      look_around_.cancel();
      table_.CloseAll();
    });
  }

  void set_self(std::weak_ptr<TcpServer> self) { self_ = std::move(self); }

 private:
  asio::awaitable<void> LookAround() {
    while (!stopping_) {
      look_around_.expires_after(kLookAroundInterval);
      co_await look_around_.async_wait(kAwait);
      life_.Give(Now());
      responder_->Refresh();
    }
  }

  asio::awaitable<void> Accept(tcp::acceptor& acceptor) {
    while (!stopping_) {
      auto [error, socket] = co_await acceptor.async_accept(kAwait);
      if (!error) {
        Admit(std::move(socket));
      } else if (!stopping_) {
        counters_.accept_failures.Add();
        asio::steady_timer pause(context_, kAcceptPause);
        co_await pause.async_wait(kAwait);
      }
    }
  }

  void Admit(tcp::socket socket) {
    boost::system::error_code error;
    const tcp::endpoint peer = socket.remote_endpoint(error);
    if (error) return;
    const auto client = IpAddress::FromSockaddr(peer.data());
    if (!client.ok() || stopping_) return;
    socket.set_option(tcp::no_delay(true), error);
    const TcpLimits limits{options_.idle_timeout, options_.max_parked_per_connection};
    auto connection =
        std::make_shared<TcpConnection>(std::move(socket), *client, limits, responder_.get(), scratch_);
    asio::co_spawn(context_, Serve(std::move(connection), *client), asio::detached);
  }

  asio::awaitable<void> Serve(std::shared_ptr<TcpConnection> connection, IpAddress client) {
    const ConnectionTable::Id id =
        table_.Add(client, [c = connection.get()](TcpClose why) { c->Close(why); });
    counters_.opened.Add();
    connection->set_hooks(
        {[this, weak = std::weak_ptr(connection)](std::span<const uint8_t> query, const Asker& asker) {
           Park(query, asker, weak);
         },
         [this, id] { table_.Touch(id); }});
    const absl::Cleanup remove = [this, id, c = connection.get()] {
      table_.Remove(id);
      counters_.closed[c->end()].Add();
    };
    co_await connection->Serve();
  }

  // The answer may come from any thread and at any time: after the connection's end, or the server's.
  void Park(std::span<const uint8_t> query, const Asker& asker, std::weak_ptr<TcpConnection> connection) {
    responder_->Park(query, asker,
                     [server = self_, connection = std::move(connection)](std::span<const uint8_t> answer) {
                       if (const auto alive = server.lock()) alive->PostAnswer(connection, answer);
                     });
  }

  void PostAnswer(std::weak_ptr<TcpConnection> connection, std::span<const uint8_t> answer) {
    asio::post(context_, [this, connection = std::move(connection),
                          bytes = std::vector<uint8_t>(answer.begin(), answer.end())] {
      const auto alive = connection.lock();
      if (alive != nullptr) return alive->Deliver(bytes);
      if (!bytes.empty()) counters_.answers_lost.Add();
    });
  }

  const TcpOptions options_;
  TcpCounters unread_;
  TcpCounters& counters_;
  LifeSigns unread_life_;
  LifeSign& life_;
  const std::unique_ptr<Responder> responder_;
  std::weak_ptr<TcpServer> self_;
  ConnectionTable table_;
  std::vector<uint8_t> scratch_;
  bool stopping_ = false;
  asio::io_context context_;  // its handlers use what stands above
  asio::steady_timer look_around_{context_};
  std::list<tcp::acceptor> acceptors_;
};

std::unique_ptr<TcpListener> TcpListener::Serve(std::vector<OpenPort> ports, const TcpOptions& options,
                                                const ResponderFactory& responders) {
  std::unique_ptr<TcpListener> listener(new TcpListener);
  listener->server_ = std::make_shared<TcpServer>(options, responders());
  listener->server_->set_self(listener->server_);
  for (OpenPort& port : ports) {
    listener->endpoints_.push_back(port.endpoint);
    for (Socket& socket : port.sockets)
      listener->server_->Listen(std::move(socket), port.endpoint.address.is_v4());
  }
  listener->thread_ = std::thread([server = listener->server_.get()] { server->Run(); });
  return listener;
}

TcpListener::~TcpListener() {
  if (!thread_.joinable()) return;
  server_->Stop();
  thread_.join();
}

}  // namespace perigee::dns
