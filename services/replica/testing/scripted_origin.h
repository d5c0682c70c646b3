// An origin for tests: a real TCP server on loopback whose every answer is a script. For tests only.
//
// One thread for each connection, blocking calls: what it sends, and when, is exactly what the script says.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace perigee::replica::testing {

// A blocking socket with the few calls that tests need. Reads give up after 5 s.
class TestSocket {
 public:
  static constexpr int kNone = -1;
  explicit TestSocket(int fd = kNone) : fd_(fd) {}
  TestSocket(TestSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, kNone)), input_(std::move(other.input_)) {}
  TestSocket& operator=(TestSocket&& other) noexcept;
  ~TestSocket() { Close(); }

  static TestSocket ConnectTo(uint16_t port, int receive_buffer = 0);

  bool Send(std::string_view bytes);
  // Up to and including `end`; what came before the end of the connection when it never comes.
  std::string ReadUntil(std::string_view end);
  std::string ReadBytes(size_t n);
  std::string ReadAll();
  void Unread(std::string_view bytes) { input_.insert(0, bytes); }
  // Whether the peer has closed or reset, with nothing left to read; waits for it for at most a read's time.
  bool AtEnd();
  void Close();
  void Shutdown();
  // Ends the connection by RST. A script may do so, but not Close: an origin that stops uses the descriptor.
  void Reset();
  int fd() const { return fd_; }

 private:
  bool Fill();
  int fd_;
  std::string input_;
};

struct TestResponse {
  int status = 0;
  std::string head;
  std::string body;
  bool complete = false;  // its framing says that nothing is missing

  // The value of the first field of that name; "" without one.
  std::string Field(std::string_view name) const;
};

// Reads one response: Content-Length, chunked, or to the end.
TestResponse ReadResponse(TestSocket& socket, bool head_request = false);
// Sends `request` on a connection of its own and reads the answer.
TestResponse Ask(uint16_t port, std::string_view request);
// "GET path HTTP/1.1", with Host and these further fields ("A: b\r\n").
std::string Get(std::string_view path, std::string_view fields = "");

class ScriptedOrigin {
 public:
  // Called with each request's head and the socket to answer on; false closes the connection.
  using Script = std::function<bool(const std::string& head, TestSocket& socket)>;

  explicit ScriptedOrigin(Script script);
  ~ScriptedOrigin();

  uint16_t port() const { return port_; }
  int requests() const { return requests_; }
  int connections() const { return connections_; }
  std::string last_head() const;
  // Changes the script for requests from now on.
  void SetScript(Script script);
  // Closes the listening socket and all connections: the origin is down.
  void Stop();

 private:
  void Accept();
  void Serve(TestSocket* socket);

  mutable std::mutex mutex_;
  Script script_;
  std::string last_head_;
  TestSocket listening_;
  uint16_t port_ = 0;
  std::atomic<int> requests_{0};
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<TestSocket>> sockets_;
  std::vector<std::thread> threads_;
  std::thread accepting_;
};

// A gate that a script waits at until the test opens it. Copies are the same gate: scripts take one by value,
// for the origin's threads outlive the test's body.
class Gate {
 public:
  void Open() const;
  // False when it stays shut for 5 s.
  bool Wait() const;
  // Whether it is open by then: the pace of a script that goes on until it is told to stop.
  bool WaitFor(std::chrono::milliseconds time) const;

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable opened;
    bool open = false;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// "HTTP/1.1 200 OK" with a Content-Length, these fields ("A: b\r\n") and `body`.
std::string Ok(std::string_view body, std::string_view fields = "Cache-Control: max-age=60\r\n");

}  // namespace perigee::replica::testing
