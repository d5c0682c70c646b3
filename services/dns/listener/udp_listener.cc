#include "services/dns/listener/udp_listener.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "services/dns/listener/socket.h"
#include "services/dns/listener/udp_batch.h"

namespace perigee::dns {
namespace {

// An error of the socket that stays must not eat the core.
constexpr std::chrono::milliseconds kErrorPause{1};

// sendmsg on one socket is safe from any thread.
void SendParked(const Socket& socket, ReplyPath& path, std::span<const uint8_t> answer) {
  iovec data{const_cast<uint8_t*>(answer.data()), answer.size()};
  const msghdr header = path.Header(&data);
  sendmsg(socket.fd(), &header, MSG_DONTWAIT);  // one that cannot be sent is dropped: its client asks again
}

}  // namespace

class UdpListener::Worker {
 public:
  Worker(Socket socket, std::unique_ptr<Responder> responder)
      : socket_(std::make_shared<Socket>(std::move(socket))), responder_(std::move(responder)) {}

  ~Worker() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    // Wakes recvmmsg at once and for good, though the socket is not connected.
    shutdown(socket_->fd(), SHUT_RD);
    thread_.join();
  }

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

 private:
  void Run() {
    while (!stopping_.load(std::memory_order_relaxed)) {
      const int count = batch_.Receive(socket_->fd());
      if (count > 0) {
        HandleBatch(count);
      } else if (errno == EAGAIN) {
        responder_->Rest();
      } else if (errno != EINTR) {
        std::this_thread::sleep_for(kErrorPause);
      }
    }
  }

  void HandleBatch(int count) {
    const MonoTime now = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) Handle(i, now);
    const size_t answers = batch_.answers();
    batch_.Send(socket_->fd());
    responder_->counters().CountLatency(std::chrono::steady_clock::now() - now, answers);
  }

  void Handle(int i, MonoTime now) {
    const auto client = IpAddress::FromSockaddr(&batch_.path(i).peer.any);
    if (!client.ok()) return;
    const Asker asker{*client, Transport::kUdp, now};
    const Outcome outcome = responder_->Answer(batch_.query(i), asker, batch_.answer_room());
    if (outcome.action == Action::kSend) batch_.AddAnswer(i, outcome.size);
    if (outcome.action == Action::kPark) Park(i, asker);
  }

  void Park(int i, const Asker& asker) {
    responder_->Park(batch_.query(i), asker,
                     [weak = std::weak_ptr<Socket>(socket_),
                      path = batch_.path(i)](std::span<const uint8_t> answer) mutable {
                       const auto socket = weak.lock();
                       if (socket != nullptr && !answer.empty()) SendParked(*socket, path, answer);
                     });
  }

  // Shared for as long as a parked answer is being sent, and no longer.
  const std::shared_ptr<Socket> socket_;
  const std::unique_ptr<Responder> responder_;
  UdpBatch batch_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

UdpListener::UdpListener() = default;
UdpListener::~UdpListener() = default;

absl::StatusOr<std::unique_ptr<UdpListener>> UdpListener::Start(const UdpOptions& options,
                                                                const ResponderFactory& responders) {
  std::unique_ptr<UdpListener> listener(new UdpListener);
  const int threads = options.threads_per_address > 0
                          ? options.threads_per_address
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  for (const IpEndpoint& address : options.addresses) {
    IpEndpoint bound = address;
    for (int i = 0; i < threads; ++i) {
      auto socket = BindUdp(bound, i == 0 ? Sharing::kFirst : Sharing::kJoin);
      if (!socket.ok()) return socket.status();
      const auto endpoint = BoundEndpoint(*socket);
      if (!endpoint.ok()) return endpoint.status();
      bound = *endpoint;
      listener->workers_.push_back(std::make_unique<Worker>(*std::move(socket), responders()));
    }
    listener->endpoints_.push_back(bound);
  }
  for (const auto& worker : listener->workers_) worker->Start();
  return listener;
}

}  // namespace perigee::dns
