// Splits a master file (RFC 1035 §5.1) into entries, and those into tokens. Pure; reads nothing past the
// text.
//
// Comments, parentheses, quotes, CRLF and the line numbers are dealt with here; what the tokens mean is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace perigee::dns {

// The octets of one entry, over all its lines. RDATA of 65535 octets in hexadecimal fits.
inline constexpr size_t kMaxEntrySize = 160'000;

struct ZoneToken {
  std::string_view text;  // as written, escapes and all; without the quotes
  bool quoted = false;
  uint32_t line = 0;
};

// A record or a control entry such as $TTL. Views into the text.
struct ZoneEntry {
  bool starts_blank = false;      // the owner is that of the record before
  std::vector<ZoneToken> tokens;  // never empty

  uint32_t line() const { return tokens.front().line; }
};

class ZoneScanner {
 public:
  enum class Result { kEntry, kEnd, kError };

  // `text` must outlive the scanner and the entries.
  explicit ZoneScanner(std::string_view text) : text_(text) {}

  // Lines without a token are skipped. After kError there is no going on.
  Result Next(ZoneEntry* entry);

  // Of kError: where, and what is wrong.
  uint32_t error_line() const { return error_line_; }
  std::string_view error() const { return error_; }

 private:
  // A character at a time. False at an error, or when the entry is complete (`done_`).
  bool Consume(ZoneEntry* entry);
  bool TakeToken(ZoneEntry* entry);
  bool TakeQuoted(ZoneEntry* entry);
  // From quote to quote.
  bool SkipQuoted();
  bool EndLine(const ZoneEntry& entry);
  // Over one character of a token, escaped or not. False at an error.
  bool SkipCharacter();
  bool Fail(uint32_t line, std::string_view what);

  std::string_view text_;
  size_t at_ = 0;
  size_t entry_start_ = 0;
  uint32_t line_ = 1;
  uint32_t paren_line_ = 0;  // of the parenthesis that is open; 0: none
  bool done_ = false;
  uint32_t error_line_ = 0;
  std::string_view error_;
};

}  // namespace perigee::dns
