#include "services/dns/listener/udp_listener.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "fmt/format.h"
#include "lib/urgency/urgency.h"
#include "services/dns/listener/udp_batch.h"

namespace perigee::dns {
namespace {

// An error of the socket that stays must not eat the core.
constexpr std::chrono::milliseconds kErrorPause{1};
// Queries whose memory is fetched at once: as many as a core waits for together.
constexpr int kTogether = 16;

// sendmsg on one socket is safe from any thread. An answer that cannot be sent is dropped: its client asks
// again.
bool SendParked(const Socket& socket, ReplyPath& path, std::span<const uint8_t> answer) {
  iovec data{const_cast<uint8_t*>(answer.data()), answer.size()};
  const msghdr header = path.Header(&data);
  return sendmsg(socket.fd(), &header, MSG_DONTWAIT) >= 0;
}

}  // namespace

class UdpListener::Worker {
 public:
  Worker(std::shared_ptr<Socket> socket, bool passed, bool realtime, LifeSign& life,
         std::unique_ptr<Responder> responder)
      : socket_(std::move(socket)),
        passed_(passed),
        realtime_(realtime),
        life_(life),
        responder_(std::move(responder)) {}

  void AskToStop() {
    stopping_ = true;
    // Wakes recvmmsg at once and for good, though the socket is not connected. For good is also why a passed
    // socket is not shut down: its thread ends with its next time-out.
    if (!passed_) shutdown(socket_->fd(), SHUT_RD);
  }

  ~Worker() {
    if (!thread_.joinable()) return;
    AskToStop();
    thread_.join();
  }

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

 private:
  void Run() {
    ModestRealtime urgency(realtime_);
    while (!stopping_.load(std::memory_order_relaxed)) {
      const int count = batch_.Receive(socket_->fd());
      if (count > 0) {
        const MonoTime now = std::chrono::steady_clock::now();
        life_.Give(now);
        urgency.Review(now);
        HandleBatch(count, now);
      } else if (errno == EAGAIN) {
        life_.Give(std::chrono::steady_clock::now());
        responder_->Refresh();
      } else if (errno != EINTR) {
        std::this_thread::sleep_for(kErrorPause);
      }
    }
  }

  void HandleBatch(int count, MonoTime now) {
    responder_->Refresh();
    for (int first = 0; first < count; first += kTogether) {
      HandleTogether(first, std::min(count, first + kTogether), now);
    }
    const size_t answers = batch_.answers();
    const size_t dropped = batch_.Send(socket_->fd());
    if (dropped > 0) responder_->counters().by_drop[DropReason::kNotSent].Add(dropped);
    responder_->counters().CountLatency(std::chrono::steady_clock::now() - now, answers - dropped);
  }

  void HandleTogether(int first, int end, MonoTime now) {
    for (int i = first; i < end; ++i) Read(i, now, &readings_[static_cast<size_t>(i - first)]);
    for (int i = first; i < end; ++i) responder_->Approach(readings_[static_cast<size_t>(i - first)]);
    for (int i = first; i < end; ++i) Answer(i, readings_[static_cast<size_t>(i - first)]);
  }

  void Read(int i, MonoTime now, Reading* reading) {
    reading->verdict = ParseVerdict::kDrop;
    const auto client = IpAddress::FromSockaddr(&batch_.path(i).peer.any);
    if (!client.ok()) return;
    if (!batch_.path(i).has_port()) return responder_->counters().CountDrop(DropReason::kSourcePort0);
    if (batch_.is_cut(i)) responder_->counters().CountDrop(DropReason::kCutDatagram);
    responder_->Read(batch_.query(i), {*client, Transport::kUdp, now}, reading);
  }

  void Answer(int i, Reading& reading) {
    const Outcome outcome = responder_->Answer(reading, batch_.answer_room());
    if (outcome.action == Action::kSend) batch_.AddAnswer(i, outcome.size);
    if (outcome.action == Action::kPark) Park(i, reading);
  }

  void Park(int i, const Reading& reading) {
    responder_->Park(reading, [weak = std::weak_ptr<Socket>(socket_), path = batch_.path(i),
                               parked = responder_->parked()](std::span<const uint8_t> answer) mutable {
      const auto socket = weak.lock();
      if (socket == nullptr || answer.empty() || SendParked(*socket, path, answer)) return;
      const std::lock_guard lock(parked->mutex);
      parked->recorder.counters().CountDrop(DropReason::kNotSent);
    });
  }

  // Shared for as long as a parked answer is being sent, and no longer.
  const std::shared_ptr<Socket> socket_;
  const bool passed_, realtime_;
  LifeSign& life_;
  const std::unique_ptr<Responder> responder_;
  UdpBatch batch_;
  std::array<Reading, kTogether> readings_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

UdpListener::UdpListener() = default;
UdpListener::~UdpListener() {
  for (const auto& worker : workers_) worker->AskToStop();
}

int ThreadsPerAddress(int threads_per_address) {
  if (threads_per_address > 0) return threads_per_address;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::unique_ptr<UdpListener> UdpListener::Serve(std::vector<OpenPort> ports, const UdpOptions& options,
                                                const ResponderFactory& responders) {
  std::unique_ptr<UdpListener> listener(new UdpListener);
  LifeSigns& life = options.life == nullptr ? listener->unread_ : *options.life;
  for (OpenPort& port : ports) {
    listener->endpoints_.push_back(port.endpoint);
    std::vector<std::shared_ptr<Socket>> sockets;
    for (Socket& socket : port.sockets) sockets.push_back(std::make_shared<Socket>(std::move(socket)));
    const size_t threads =
        std::max(sockets.size(), static_cast<size_t>(ThreadsPerAddress(options.threads_per_address)));
    for (size_t i = 0; i < threads; ++i) {
      LifeSign& sign = life.Add(fmt::format("UDP thread {} of {}", i + 1, port.endpoint.ToString()),
                                std::chrono::steady_clock::now());
      listener->workers_.push_back(std::make_unique<Worker>(sockets[i % sockets.size()], port.passed,
                                                            options.realtime, sign, responders()));
    }
  }
  for (const auto& worker : listener->workers_) worker->Start();
  return listener;
}

}  // namespace perigee::dns
