// An origin that answers ranges of a film, and the fixture of the tests of parts: a film is too large to be
// stored whole.
#pragma once

#include "lib/base/parse.h"
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica::testing {

inline constexpr uint64_t kLength = 3'000;
inline constexpr uint64_t kMaxObject = 1'000;

inline std::string Bytes(uint64_t first, uint64_t last) {
  std::string bytes;
  for (uint64_t i = first; i <= last; ++i) bytes.push_back(static_cast<char>(i * 7 + i / 251));
  return bytes;
}

struct Film {
  std::string fields = "Cache-Control: max-age=60\r\nETag: \"v1\"\r\nContent-Type: video/x\r\n";
  uint64_t length = kLength;
};

inline std::string PartOf(const Film& film, uint64_t first, uint64_t last) {
  return fmt::format(
      "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{}/{}\r\nContent-Length: {}\r\n{}\r\n{}",
      first, last, film.length, last - first + 1, film.fields, Bytes(first, last));
}

// Answers a range of "bytes=first-last" by that part, and everything else by the whole.
inline ScriptedOrigin::Script Ranges(Film film = {}) {
  return [film](const std::string& head, TestSocket& socket) {
    constexpr std::string_view kRange = "Range: bytes=";
    const size_t at = head.find(kRange);
    if (at == std::string::npos) return socket.Send(Ok(Bytes(0, film.length - 1), film.fields));
    const size_t begin = at + kRange.size(), dash = head.find('-', begin), end = head.find('\r', begin);
    const auto first = ParseNumber<uint64_t>(head.substr(begin, dash - begin));
    const auto last = ParseNumber<uint64_t>(head.substr(dash + 1, end - dash - 1));
    return socket.Send(PartOf(film, *first, *last));
  };
}

class PartsServerTest : public ServerTest {
 protected:
  PartsServerTest() { limits_.max_object_bytes = kMaxObject; }

  TestResponse FetchPart(uint64_t first, uint64_t last, std::string_view fields = "") {
    return Fetch("/film", fmt::format("Range: bytes={}-{}\r\n{}", first, last, fields));
  }
  // A client has the last byte of its answer a moment before it is stored.
  TestResponse StorePart(uint64_t first, uint64_t last, std::string_view fields = "") {
    const uint64_t before = cache_->Stats().objects;
    TestResponse answer = FetchPart(first, last, fields);
    AwaitObjects(before + 1);
    return answer;
  }
  void AwaitObjects(uint64_t n) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (cache_->Stats().objects != n && std::chrono::steady_clock::now() < give_up)
      std::this_thread::yield();
    EXPECT_EQ(cache_->Stats().objects, n);
  }
  static std::string Status(const TestResponse& answer) { return answer.Field("Cache-Status"); }
  static void ExpectHit(const TestResponse& answer, uint64_t first, uint64_t last) {
    EXPECT_THAT(Status(answer), HasSubstr("; hit")) << first;
    EXPECT_EQ(answer.status, 206);
    EXPECT_EQ(answer.Field("Content-Range"), fmt::format("bytes {}-{}/{}", first, last, kLength));
    EXPECT_NE(answer.Field("Age"), "");
    EXPECT_TRUE(answer.complete && answer.body == Bytes(first, last));
  }
};

}  // namespace perigee::replica::testing
