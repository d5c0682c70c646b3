// Every limit of the replica's HTTP side, with its default. Each is a flag of httpserver (main.cc).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace perigee::replica {

using std::chrono::milliseconds;

struct Limits {
  // --- Towards clients ---
  size_t max_connections = 20'000;             // over all threads; further ones are answered 503 and closed
  size_t max_connections_per_address = 1'000;  // or per /64 of IPv6, but for loopback; beyond: the same
  size_t max_header_bytes = 32'768;            // request line and fields; beyond: 431
  size_t max_header_fields = 100;              // beyond: 431
  size_t max_target_bytes = 8'192;             // beyond: 414
  uint64_t max_request_body_bytes = 1 << 30;   // of a request that is passed through; beyond: 413
  milliseconds header_timeout{10'000};         // from a request's first byte to the end of its head; then 408
  milliseconds keep_alive_timeout{60'000};     // idle between requests; then the connection is closed
  milliseconds body_timeout{30'000};           // silence inside a request's body; then 408
  milliseconds write_timeout{30'000};          // a client that takes no byte for so long is cut off
  uint64_t min_rate = 500;                     // bytes/s of a body, and of an answer, on average (io/pace.h)
  milliseconds drain_idle_timeout{1'000};      // idle, and a tunnel's rest, once the server stops
  milliseconds drain_handshake_timeout{300};   // for handshakes under way, once another process takes over

  // --- Towards the origin ---
  size_t max_origin_connections = 1'024;  // over all threads; further requests wait connect_timeout long
  // Of them, those in use for one address, or /64 of IPv6, but for loopback; beyond: 503, or stale. A
  // client's slow misses and WebSockets leave the rest to the others.
  size_t max_origin_connections_per_address = 256;
  size_t max_idle_origin_connections = 128;  // kept alive, over all threads
  size_t max_response_header_bytes = 65'536;
  milliseconds resolve_timeout{5'000};
  milliseconds connect_timeout{3'000};      // for each address that is tried
  milliseconds first_byte_timeout{15'000};  // from the request's end to the response's head
  milliseconds idle_timeout{15'000};        // silence inside a response
  milliseconds fetch_timeout{3'600'000};    // a whole exchange with the origin
  milliseconds origin_keep_alive{30'000};   // idle origin connections are closed after this
  // After so many failures in a row the origin is not asked for a while (fetch/circuit_breaker.h); 0: always.
  size_t max_origin_failures = 10;
  milliseconds origin_hold_off{1'000};
  milliseconds max_origin_hold_off{30'000};

  // --- WebSocket, carried through (session/handler_tunnel.cc) ---
  size_t max_tunnels = 1'000;                 // over all threads; beyond: 503
  milliseconds tunnel_idle_timeout{120'000};  // silence in both directions; then both ends are closed

  // --- Collapsed fetches (fetch/flight.h) ---
  uint64_t max_object_bytes = 10'000'000;  // larger responses are neither stored nor shared
  // Bodies of all flights together; beyond, fetches are not shared. And the stored bodies, and chunks of
  // large ones, that wait for slow clients; beyond, these are let go and looked up again when the client
  // takes more.
  uint64_t max_flight_bytes = 256'000'000;
  milliseconds failure_hold{500};  // so long after a fetch has failed, others for its key fail with it
};

// Bytes read from a socket at once, in either direction.
inline constexpr size_t kReadChunkBytes = 32'768;
// A client connection's input buffer to begin with; it grows up to max_header_bytes.
inline constexpr size_t kInitialInputBytes = 2'048;

}  // namespace perigee::replica
