#include "services/replica/fetch/resolver.h"

#include <ares.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <limits>
#include <map>

#include "services/replica/io/wakeup.h"

namespace perigee::replica {
namespace {

using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
constexpr int kTries = 3;

}  // namespace

// One ares_getaddrinfo call: lends c-ares's sockets to Asio and calls it back when they are ready.
class Resolver::Lookup {
 public:
  Lookup(const Executor& executor, const ResolverOptions& options)
      : executor_(executor), timer_(std::make_shared<Timer>(executor)) {
    ares_options ares{};
    ares.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
      static_cast<Lookup*>(self)->OnSocketState(fd, readable != 0, writable != 0);
    };
    ares.sock_state_cb_data = this;
    ares.timeout = std::max<int>(1, static_cast<int>(options.timeout.count()) / (2 * kTries));
    ares.tries = kTries;
    ready_ = ares_init_options(&channel_, &ares,
                               ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) == ARES_SUCCESS;
    if (ready_ && !options.servers.empty()) {
      ready_ = ares_set_servers_ports_csv(channel_, options.servers.c_str()) == ARES_SUCCESS;
    }
    deadline_ = std::chrono::steady_clock::now() + options.timeout;
  }

  ~Lookup() {
    if (channel_ != nullptr) ares_destroy(channel_);
    for (auto& [fd, socket] : sockets_) socket->descriptor.release();
  }

  void Start(const std::string& host) {
    if (!ready_) return Finish(absl::UnavailableError("c-ares cannot start"));
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(
        channel_, host.c_str(), nullptr, &hints,
        [](void* self, int ares_status, int, ares_addrinfo* result) {
          static_cast<Lookup*>(self)->OnResult(ares_status, result);
        },
        this);
    if (!done) ArmTimer();
  }

  void Cancel() {
    if (channel_ != nullptr) ares_cancel(channel_);
    timer_->cancel();
  }

  bool done = false;
  absl::Status status;
  std::vector<IpAddress> addresses;
  std::chrono::seconds ttl = kMaxTtl;
  std::vector<std::shared_ptr<Wakeup>> waiters;

 private:
  struct Watched {
    explicit Watched(const Executor& executor, int fd) : descriptor(executor, fd) {}
    Descriptor descriptor;
    bool reading = false;
    bool writing = false;
  };

  void OnSocketState(ares_socket_t fd, bool readable, bool writable) {
    auto it = sockets_.find(fd);
    if (!readable && !writable) {
      if (it == sockets_.end()) return;
      it->second->descriptor.release();  // c-ares closes it; waits under way end with an error
      sockets_.erase(it);
      return;
    }
    if (it == sockets_.end()) it = sockets_.emplace(fd, std::make_shared<Watched>(executor_, fd)).first;
    it->second->reading = readable;
    it->second->writing = writable;
    if (readable) Wait(it->second, fd, Descriptor::wait_read);
    if (writable) Wait(it->second, fd, Descriptor::wait_write);
  }

  void Wait(const std::shared_ptr<Watched>& watched, ares_socket_t fd, Descriptor::wait_type type) {
    watched->descriptor.async_wait(
        type, [this, weak = std::weak_ptr(watched), fd, type](const error_code& error) {
          const auto socket = weak.lock();
          if (error || !socket) return;  // released; `this` may be gone
          const bool read = type == Descriptor::wait_read;
          ares_process_fd(channel_, read ? fd : ARES_SOCKET_BAD, read ? ARES_SOCKET_BAD : fd);
          const auto it = sockets_.find(fd);
          if (it == sockets_.end() || it->second != socket) return;
          if (read ? socket->reading : socket->writing) Wait(socket, fd, type);
        });
  }

  void ArmTimer() {
    const auto now = std::chrono::steady_clock::now();
    timeval left{};
    timeval* wait = ares_timeout(channel_, nullptr, &left);
    auto next = deadline_;
    if (wait != nullptr) {
      next =
          std::min(next, now + std::chrono::seconds(wait->tv_sec) + std::chrono::microseconds(wait->tv_usec));
    }
    timer_->expires_at(next);
    timer_->async_wait([this, timer = std::weak_ptr(timer_)](const error_code& error) {
      if (error || timer.expired()) return;  // expired just before it was cancelled: `this` may be gone
      if (std::chrono::steady_clock::now() >= deadline_) {
        ares_cancel(channel_);
      } else {
        ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      }
      if (!done) ArmTimer();
    });
  }

  void OnResult(int ares_status, ares_addrinfo* result) {
    if (ares_status == ARES_EDESTRUCTION) return;
    if (ares_status == ARES_SUCCESS) Collect(*result);
    if (result != nullptr) ares_freeaddrinfo(result);
    if (!addresses.empty()) return Finish(absl::OkStatus());
    Finish(absl::UnavailableError(ares_strerror(ares_status == ARES_SUCCESS ? ARES_ENODATA : ares_status)));
  }

  void Collect(const ares_addrinfo& result) {
    int least = std::numeric_limits<int>::max();
    for (const ares_addrinfo_node* node = result.nodes; node != nullptr; node = node->ai_next) {
      const auto address = IpAddress::FromSockaddr(node->ai_addr);
      if (!address.ok() || addresses.size() == kMaxAddresses) continue;
      addresses.push_back(*address);
      least = std::min(least, node->ai_ttl);
    }
    for (const ares_addrinfo_cname* alias = result.cnames; alias != nullptr; alias = alias->next) {
      least = std::min(least, alias->ttl);
    }
    // /etc/hosts gives no TTL.
    ttl = std::clamp<std::chrono::seconds>(std::chrono::seconds(least), kMinTtl, kMaxTtl);
  }

  void Finish(absl::Status how) {
    done = true;
    status = std::move(how);
    timer_->cancel();
    for (const auto& waiter : waiters) waiter->Wake();
    waiters.clear();
  }

  Executor executor_;
  std::shared_ptr<Timer> timer_;
  MonoTime deadline_;
  ares_channel channel_ = nullptr;
  bool ready_ = false;
  std::map<ares_socket_t, std::shared_ptr<Watched>> sockets_;
};

Resolver::Resolver(const Executor& executor, std::string host, ResolverOptions options)
    : executor_(executor), host_(std::move(host)), options_(std::move(options)) {
  const auto literal = IpAddress::Parse(host_);
  if (!literal.ok()) return;
  addresses_ = {*literal};
  good_until_ = MonoTime::max();
}

Resolver::~Resolver() = default;

void Resolver::Stop() {
  stopped_ = true;
  if (lookup_) lookup_->Cancel();
}

Task<absl::StatusOr<std::vector<IpAddress>>> Resolver::Addresses() {
  if (std::chrono::steady_clock::now() >= good_until_ && !stopped_) {
    if (lookup_ == nullptr) {
      lookup_ = std::make_unique<Lookup>(executor_, options_);
      lookup_->Start(host_);
    }
    if (!lookup_->done) {
      const auto wakeup = Wakeup::Create(executor_);
      lookup_->waiters.push_back(wakeup);
      co_await wakeup->Sleep(MonoTime::max());
    }
    // The first of those who were woken takes the result in.
    if (lookup_ && lookup_->done) {
      const auto now = std::chrono::steady_clock::now();
      last_error_ = lookup_->status;
      if (lookup_->status.ok()) addresses_ = lookup_->addresses;
      good_until_ = now + (lookup_->status.ok() ? lookup_->ttl : kRetryAfter);
      lookup_.reset();
    }
  }
  if (addresses_.empty()) {
    co_return absl::UnavailableError(
        fmt::format("origin {} has no address: {}", host_, std::string(last_error_.message())));
  }
  co_return addresses_;
}

}  // namespace perigee::replica
