#include "tests/world/control_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "fmt/format.h"
#include "tests/world/control_protocol.h"

namespace perigee::world {
namespace {

constexpr size_t kMaxAnswerBytes = 64u << 20;  // 1024 hosts' RTTs are 8 MB
constexpr timeval kAskTimeout{.tv_sec = 5, .tv_usec = 0};
constexpr std::string_view kOk = "OK\n", kError = "ERR ";

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return absl::InvalidArgumentError(fmt::format("{} is too long", path));
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// The last line of a complete answer, and nothing while it is incomplete.
std::string_view LastLine(std::string_view answer) {
  if (!answer.ends_with('\n')) return {};
  const size_t before = answer.size() < 2 ? std::string_view::npos : answer.rfind('\n', answer.size() - 2);
  return answer.substr(before == std::string_view::npos ? 0 : before + 1);
}

}  // namespace

absl::StatusOr<ControlServer> ControlServer::Listen(const std::string& path) {
  auto address = AddressOf(path);
  if (!address.ok()) return address.status();
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!epoll.valid() || !listener.valid()) return ErrnoStatus("making the control socket");
  unlink(path.c_str());
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&*address), sizeof *address) != 0 ||
      chmod(path.c_str(), 0600) != 0 || listen(listener.get(), kMaxControlClients) != 0) {
    return ErrnoStatus(path);
  }
  epoll_event event{.events = EPOLLIN, .data = {.fd = listener.get()}};
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, listener.get(), &event) != 0) return ErrnoStatus("epoll_ctl");
  return ControlServer(std::move(epoll), std::move(listener));
}

void ControlServer::Serve(absl::FunctionRef<std::string(std::string_view)> answer) {
  std::array<epoll_event, kMaxControlClients + 1> events{};
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.fd == listener_.get()) {
      Accept();
      continue;
    }
    const auto client = clients_.find(events[i].data.fd);
    if (client != clients_.end() && !Handle(client->second, answer)) clients_.erase(client);
  }
}

void ControlServer::Accept() {
  UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid() || clients_.size() == kMaxControlClients) return;
  const int key = fd.get();
  Watch(clients_.emplace(key, Client{std::move(fd), {}, {}}).first->second, EPOLL_CTL_ADD);
}

// Reads on only once the answers so far are written: what a client can make the world keep is one answer a
// line of kMaxRequestBytes.
void ControlServer::Watch(const Client& client, int operation) const {
  epoll_event event{.events = client.out.empty() ? EPOLLIN : EPOLLOUT, .data = {.fd = client.fd.get()}};
  epoll_ctl(epoll_.get(), operation, client.fd.get(), &event);
}

bool ControlServer::Handle(Client& client, absl::FunctionRef<std::string(std::string_view)> answer) {
  if (client.out.empty() && !Read(client)) return false;
  if (!Write(client)) return false;
  for (size_t end = 0; client.out.empty() && (end = client.in.find('\n')) != std::string::npos;) {
    client.out = answer(std::string_view(client.in).substr(0, end));
    client.in.erase(0, end + 1);
    if (!Write(client)) return false;
  }
  Watch(client, EPOLL_CTL_MOD);
  return true;
}

bool ControlServer::Read(Client& client) {
  char buffer[kMaxRequestBytes];
  const ssize_t n = recv(client.fd.get(), buffer, sizeof buffer, 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  client.in.append(buffer, static_cast<size_t>(n));
  return n > 0 && client.in.size() <= kMaxRequestBytes;
}

bool ControlServer::Write(Client& client) {
  while (!client.out.empty()) {
    const ssize_t n = send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    client.out.erase(0, static_cast<size_t>(n));
  }
  return true;
}

absl::StatusOr<std::string> AskWorld(const std::string& path, const std::string& request) {
  auto address = AddressOf(path);
  if (!address.ok()) return address.status();
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kAskTimeout, sizeof kAskTimeout);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&*address), sizeof *address) != 0) {
    return absl::UnavailableError(fmt::format("no world is running ({}: {})", path, std::strerror(errno)));
  }
  const std::string line = request + "\n";
  if (send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) return ErrnoStatus(path);
  std::string answer;
  char buffer[1 << 16];
  while (answer.size() < kMaxAnswerBytes) {
    const ssize_t n = recv(fd.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return absl::UnavailableError("the world stopped answering");
    answer.append(buffer, static_cast<size_t>(n));
    const std::string_view last = LastLine(answer);
    if (last == kOk) return answer.substr(0, answer.size() - kOk.size());
    if (last.starts_with(kError)) {
      return absl::InvalidArgumentError(
          std::string(last.substr(kError.size(), last.size() - kError.size() - 1)));
    }
  }
  return absl::OutOfRangeError("the world's answer has no end");
}

}  // namespace perigee::world
