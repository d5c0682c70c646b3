// HTTP/1.1 messages (RFC 9112) between the wire and the rooms: heads as values, and how they are written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/http_semantics/headers.h"
#include "lib/http_semantics/message.h"

namespace perigee::replica {

struct RequestHead {
  std::string method;
  std::string target;
  int minor_version = 1;  // of HTTP/1.x
  http::HeaderList headers;
  bool keep_alive = true;
  bool chunked = false;
  std::optional<uint64_t> content_length;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// How the length of a message's body is told to the next recipient (RFC 9112 §6).
enum class Framing { kNone, kContentLength, kChunked, kUntilClose };

// Whether `text` is a host, with or without a port (RFC 9110 §7.2): a name, an IPv4 address or an IPv6 one in
// brackets, without user information.
bool IsAuthority(std::string_view text);

// The usual phrase, or "" for a status without one.
std::string_view ReasonPhrase(int status);

// "HTTP/1.1 200 OK\r\n".
void AppendStatusLine(int status, std::string_view reason, std::string* out);

// "Name: value\r\n".
void AppendField(std::string_view name, std::string_view value, std::string* out);

// "1f\r\n", the line before a chunk of `size` bytes; size is not 0.
std::string ChunkHeader(size_t size);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace perigee::replica
