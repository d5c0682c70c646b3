// The queries of a benchmark: one name, A, and as many client networks as wanted, told by ECS (RFC 7871).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace perigee::bench {

struct QueryOptions {
  std::string name;
  // The first octet of the networks told: 240 makes them 240.0.0.0/24, 240.0.1.0/24 and so on. 0: no ECS.
  uint8_t first_octet = 0;
  // How many, after which they begin again; and the one to begin with.
  uint32_t clients = 1;
  uint32_t first_client = 0;
  // With a client cookie (RFC 7873).
  bool cookie = false;
};

class QueryMaker {
 public:
  explicit QueryMaker(const QueryOptions& options);

  size_t size() const { return bytes_.size(); }
  // Writes query number `sequence`, of size() octets; its ID is the number's low 16 bits.
  void Write(uint64_t sequence, uint8_t* out) const;

 private:
  void AppendName(std::string_view name);
  void AppendOption(uint16_t code, std::span<const uint8_t> value);

  const QueryOptions options_;
  std::vector<uint8_t> bytes_;
  size_t network_at_ = 0;  // of the network's three octets; 0: none
};

}  // namespace perigee::bench
