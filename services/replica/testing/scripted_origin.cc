#include "services/replica/testing/scripted_origin.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>

#include "lib/http_semantics/headers.h"

namespace perigee::replica::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

TestSocket& TestSocket::operator=(TestSocket&& other) noexcept {
  Close();
  fd_ = std::exchange(other.fd_, kNone);
  input_ = std::move(other.input_);
  return *this;
}

TestSocket TestSocket::ConnectTo(uint16_t port, int receive_buffer) {
  TestSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (receive_buffer > 0) ::setsockopt(socket.fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(int));
  const sockaddr_in address = Loopback(port);
  if (::connect(socket.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    socket.Close();
  const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
  ::setsockopt(socket.fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  return socket;
}

bool TestSocket::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool TestSocket::Fill() {
  char buffer[65'536];
  const ssize_t n = ::recv(fd_, buffer, sizeof(buffer), 0);
  if (n > 0) input_.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

std::string TestSocket::ReadUntil(std::string_view end) {
  size_t at;
  while ((at = input_.find(end)) == std::string::npos) {
    if (!Fill()) return std::exchange(input_, {});
  }
  std::string found = input_.substr(0, at + end.size());
  input_.erase(0, found.size());
  return found;
}

std::string TestSocket::ReadBytes(size_t n) {
  while (input_.size() < n && Fill()) {
  }
  std::string found = input_.substr(0, n);
  input_.erase(0, found.size());
  return found;
}

std::string TestSocket::ReadAll() {
  while (Fill()) {
  }
  return std::exchange(input_, {});
}

bool TestSocket::AtEnd() {
  char byte;
  if (!input_.empty()) return false;
  const ssize_t n = ::recv(fd_, &byte, 1, MSG_PEEK);
  return n == 0 || (n < 0 && errno == ECONNRESET);
}

void TestSocket::Shutdown() { ::shutdown(fd_, SHUT_RDWR); }

void TestSocket::Reset() {
  const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
  ::connect(fd_, &nobody, sizeof(nobody));
}

void TestSocket::Close() {
  if (fd_ != kNone) ::close(std::exchange(fd_, kNone));
}

std::string TestResponse::Field(std::string_view name) const {
  const auto list = http::HeaderList::FromText(head.substr(std::min(head.size(), head.find("\r\n") + 2)));
  return list ? std::string(list->Get(name).value_or("")) : "unparsable";
}

TestResponse ReadResponse(TestSocket& socket, bool head_request) {
  TestResponse response;
  std::string head = socket.ReadUntil("\r\n\r\n");
  if (!head.ends_with("\r\n\r\n")) return response;
  response.head = head.substr(0, head.size() - 2);
  response.status = std::atoi(head.c_str() + sizeof("HTTP/1.1"));
  if (head_request || response.status == 304 || response.status == 204) {
    response.complete = true;
  } else if (const std::string length = response.Field("Content-Length"); !length.empty()) {
    response.body = socket.ReadBytes(std::stoul(length));
    response.complete = response.body.size() == std::stoul(length);
  } else if (response.Field("Transfer-Encoding") == "chunked") {
    for (;;) {
      const std::string line = socket.ReadUntil("\r\n");
      if (!line.ends_with("\r\n")) return response;
      const size_t size = std::stoul(line, nullptr, 16);
      response.body += socket.ReadBytes(size);
      if (socket.ReadBytes(2) != "\r\n") return response;
      if (size == 0) break;
    }
    response.complete = true;
  } else {
    response.body = socket.ReadAll();
    response.complete = true;
  }
  return response;
}

TestResponse Ask(uint16_t port, std::string_view request) {
  TestSocket socket = TestSocket::ConnectTo(port);
  socket.Send(request);
  return ReadResponse(socket, request.starts_with("HEAD "));
}

std::string Get(std::string_view path, std::string_view fields) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: cdn.test\r\n{}\r\n", path, fields);
}

std::string Ok(std::string_view body, std::string_view fields) {
  return fmt::format("HTTP/1.1 200 OK\r\n{}Content-Length: {}\r\n\r\n{}", fields, body.size(), body);
}

ScriptedOrigin::ScriptedOrigin(Script script)
    : script_(std::move(script)), listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof(address);
  ::bind(listening_.fd(), reinterpret_cast<const sockaddr*>(&address), length);
  ::listen(listening_.fd(), 1'024);
  ::getsockname(listening_.fd(), reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { Accept(); });
}

ScriptedOrigin::~ScriptedOrigin() { Stop(); }

void ScriptedOrigin::Stop() {
  if (stopping_.exchange(true)) return;
  listening_.Shutdown();
  accepting_.join();
  listening_.Close();
  for (const auto& socket : sockets_) socket->Shutdown();
  for (std::thread& thread : threads_) thread.join();
  sockets_.clear();
}

void ScriptedOrigin::Accept() {
  for (;;) {
    const int fd = ::accept4(listening_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections_;
    sockets_.push_back(std::make_unique<TestSocket>(fd));
    threads_.emplace_back([this, socket = sockets_.back().get()] { Serve(socket); });
  }
}

void ScriptedOrigin::Serve(TestSocket* socket) {
  for (;;) {
    const std::string head = socket->ReadUntil("\r\n\r\n");
    if (!head.ends_with("\r\n\r\n")) break;
    ++requests_;
    Script script;
    {
      const std::lock_guard lock(mutex_);
      last_head_ = head;
      script = script_;
    }
    if (!script(head, *socket)) break;
  }
  socket->Shutdown();
}

std::string ScriptedOrigin::last_head() const {
  const std::lock_guard lock(mutex_);
  return last_head_;
}

void ScriptedOrigin::SetScript(Script script) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
}

void Gate::Open() const {
  const std::lock_guard lock(state_->mutex);
  state_->open = true;
  state_->opened.notify_all();
}

bool Gate::Wait() const { return WaitFor(kPatience); }

bool Gate::WaitFor(std::chrono::milliseconds time) const {
  std::unique_lock lock(state_->mutex);
  return state_->opened.wait_for(lock, time, [this] { return state_->open; });
}

}  // namespace perigee::replica::testing
