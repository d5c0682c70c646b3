#include "services/dns/zone/zone_scanner.h"

namespace perigee::dns {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

bool EndsToken(char c) { return IsBlank(c) || c == '\n' || c == ';' || c == '(' || c == ')' || c == '"'; }

// What editors and accidents leave behind; written as \DDD where it is meant.
bool IsControl(char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f; }

}  // namespace

ZoneScanner::Result ZoneScanner::Next(ZoneEntry* entry) {
  entry->tokens.clear();
  done_ = false;
  entry_start_ = at_;
  entry->starts_blank = at_ < text_.size() && IsBlank(text_[at_]);
  while (at_ < text_.size() && Consume(entry)) {
    if (at_ - entry_start_ > kMaxEntrySize) Fail(line_, "the entry is longer than 160000 octets");
    if (!error_.empty()) break;
    if (paren_line_ == 0 && entry->tokens.empty() && at_ > 0 && text_[at_ - 1] == '\n') {
      entry_start_ = at_;
      entry->starts_blank = at_ < text_.size() && IsBlank(text_[at_]);
    }
  }
  if (error_.empty() && paren_line_ != 0 && !done_) Fail(paren_line_, "\"(\" is never closed: add a \")\"");
  if (!error_.empty()) return Result::kError;
  return entry->tokens.empty() ? Result::kEnd : Result::kEntry;
}

bool ZoneScanner::Consume(ZoneEntry* entry) {
  const char c = text_[at_];
  if (IsBlank(c)) {
    ++at_;
    return true;
  }
  switch (c) {
    case '\n':
      return EndLine(*entry);
    case ';':
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      return true;
    case '(':
      if (paren_line_ != 0) return Fail(line_, "\"(\" within parentheses: they don't nest");
      paren_line_ = line_;
      ++at_;
      return true;
    case ')':
      if (paren_line_ == 0) return Fail(line_, "\")\" without a \"(\" before it");
      paren_line_ = 0;
      ++at_;
      return true;
    case '"':
      return TakeQuoted(entry);
    default:
      return TakeToken(entry);
  }
}

bool ZoneScanner::EndLine(const ZoneEntry& entry) {
  ++at_;
  ++line_;
  done_ = paren_line_ == 0 && !entry.tokens.empty();
  return !done_;
}

bool ZoneScanner::TakeToken(ZoneEntry* entry) {
  const size_t start = at_;
  while (at_ < text_.size()) {
    // alpn="h2,h3" is one token (RFC 9460 §2.1).
    const bool opens_value = text_[at_] == '"' && at_ > start && text_[at_ - 1] == '=';
    if (opens_value ? !SkipQuoted() : EndsToken(text_[at_])) break;
    if (!opens_value && !SkipCharacter()) return false;
  }
  if (!error_.empty()) return false;
  entry->tokens.push_back({text_.substr(start, at_ - start), false, line_});
  return true;
}

bool ZoneScanner::TakeQuoted(ZoneEntry* entry) {
  const size_t start = at_ + 1;
  if (!SkipQuoted()) return false;
  entry->tokens.push_back({text_.substr(start, at_ - 1 - start), true, line_});
  return true;
}

bool ZoneScanner::SkipQuoted() {
  for (++at_; at_ < text_.size() && text_[at_] != '\n';) {
    if (text_[at_] == '"') {
      ++at_;
      return true;
    }
    if (!SkipCharacter()) return false;
  }
  return Fail(line_, "a quote is not closed on its line: add a '\"'");
}

bool ZoneScanner::SkipCharacter() {
  if (text_[at_] == '\r') {
    ++at_;  // within quotes, before the line's end
    return true;
  }
  if (IsControl(text_[at_])) return Fail(line_, "a control character: write it as \\DDD, or remove it");
  if (text_[at_++] != '\\') return true;
  if (at_ == text_.size() || text_[at_] == '\r' || IsControl(text_[at_])) {
    return Fail(line_, "\"\\\" needs a character after it");
  }
  ++at_;
  return true;
}

bool ZoneScanner::Fail(uint32_t line, std::string_view what) {
  error_line_ = line;
  error_ = what;
  return false;
}

}  // namespace perigee::dns
