// The control socket of a running world: lines in, answers out (control_protocol.h), many clients, no thread.
//
// Its own epoll descriptor nests in the emulator's: when that one is readable, call Serve.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "tests/world/system.h"

namespace perigee::world {

// A further client is closed at once.
inline constexpr size_t kMaxControlClients = 64;

class ControlServer {
 public:
  // Listens at `path` (mode 0600), replacing a stale socket.
  static absl::StatusOr<ControlServer> Listen(const std::string& path);

  int epoll_fd() const { return epoll_.get(); }

  // Does what can be done without waiting. `answer` makes an answer of a request line without its line end.
  void Serve(absl::FunctionRef<std::string(std::string_view)> answer);

 private:
  struct Client {
    UniqueFd fd;
    std::string in, out;
  };

  ControlServer(UniqueFd epoll, UniqueFd listener)
      : epoll_(std::move(epoll)), listener_(std::move(listener)) {}
  void Accept();
  // False when the client is done with.
  static bool Read(Client& client);
  static bool Write(Client& client);
  void Watch(const Client& client, int operation) const;
  bool Handle(Client& client, absl::FunctionRef<std::string(std::string_view)> answer);

  UniqueFd epoll_, listener_;
  absl::flat_hash_map<int, Client> clients_;
};

// Asks the running world at `path`; its answer without the closing OK. Unavailable when no world runs there,
// InvalidArgument with the world's words when it refuses.
absl::StatusOr<std::string> AskWorld(const std::string& path, const std::string& request);

}  // namespace perigee::world
