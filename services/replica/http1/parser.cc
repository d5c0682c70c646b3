#include "services/replica/http1/parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "lib/base/parse.h"

namespace perigee::replica {
namespace {

namespace bhttp = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

// Of all chunks of a message together, which RFC 9112 §7.1.1 asks to be limited.
constexpr size_t kMaxChunkExtensionBytes = 4'096;

std::string_view View(string_view text) { return {text.data(), text.size()}; }

// What Transfer-Encoding says (RFC 9112 §6.1, §6.3).
enum class Coding {
  kNone,
  kChunked,
  kUnknown,  // ends in chunked, with others before it: could be delimited, but not be decoded
  kFaulty,   // does not end in chunked, has it twice, or is told twice: nobody knows where the body ends
};

Coding CodingOf(std::string_view value) {
  const auto codings = http::SplitList(value);
  const auto is_chunked = [](std::string_view coding) { return http::EqualsIgnoreCase(coding, "chunked"); };
  if (codings.empty() || !is_chunked(codings.back())) return Coding::kFaulty;
  if (std::count_if(codings.begin(), codings.end(), is_chunked) > 1) return Coding::kFaulty;
  return http::EqualsIgnoreCase(value, "chunked") ? Coding::kChunked : Coding::kUnknown;
}

// What requests and responses have in common: fields go to a HeaderList, the body to a string.
template <bool isRequest>
class MessageParser : public bhttp::basic_parser<isRequest> {
 public:
  explicit MessageParser(http::HeaderList* fields) : fields_(fields) { this->eager(false); }

  ParseResult Head(std::string_view input) {
    return Run(input, [this] { return this->is_header_done(); });
  }
  ParseResult Body(std::string_view input, std::string* out) {
    body_ = out;
    return Run(input, [this] { return this->is_done(); });
  }

  error_code error;
  int hosts = 0;
  Coding coding = Coding::kNone;
  size_t max_fields = SIZE_MAX;

 private:
  template <typename Done>
  ParseResult Run(std::string_view input, Done done) {
    size_t used = 0;
    while (!done()) {
      if (used == input.size()) return {Progress::kNeedMore, used};
      error.clear();
      used += this->put(boost::asio::buffer(input.data() + used, input.size() - used), error);
      if (error == bhttp::error::need_more) return {Progress::kNeedMore, used};
      if (error) return {Progress::kError, used};
    }
    return {Progress::kDone, used};
  }

  void on_field_impl(bhttp::field field, string_view name, string_view value, error_code& ec) override {
    if (in_trailer_) return;
    if (fields_->size() >= max_fields) {
      ec = bhttp::error::header_limit;
      return;
    }
    if (field == bhttp::field::host) ++hosts;
    if (field == bhttp::field::content_length && (++lengths_ > 1 || !IsNumber(View(value)))) {
      ec = bhttp::error::bad_content_length;
      return;
    }
    if (field == bhttp::field::transfer_encoding) {
      coding = coding == Coding::kNone ? CodingOf(View(value)) : Coding::kFaulty;
    }
    fields_->Add(View(name), View(value));
  }
  void on_header_impl(error_code&) override { in_trailer_ = true; }
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(string_view piece, error_code&) override {
    body_->append(piece.data(), piece.size());
    return piece.size();
  }
  void on_chunk_header_impl(uint64_t, string_view extension, error_code& ec) override {
    extension_bytes_ += extension.size();
    if (extension_bytes_ > kMaxChunkExtensionBytes) ec = bhttp::error::bad_chunk_extension;
  }
  size_t on_chunk_body_impl(uint64_t, string_view piece, error_code& ec) override {
    return on_body_impl(piece, ec);
  }
  void on_finish_impl(error_code&) override {}

  http::HeaderList* fields_;
  std::string* body_ = nullptr;
  bool in_trailer_ = false;
  int lengths_ = 0;  // Content-Length fields
  size_t extension_bytes_ = 0;
};

// Whether a request line ends in some HTTP-version, and not in anything.
bool NamesVersion(std::string_view input) {
  const std::string_view line = input.substr(0, input.find('\r'));
  const size_t last_space = line.rfind(' ');
  const std::string_view version = line.substr(last_space + 1);
  return std::count(line.begin(), line.end(), ' ') == 2 && version.size() == 8 &&
         version.starts_with("HTTP/");
}

Rejection RejectionFor(const error_code& error, std::string_view input) {
  if (error == bhttp::error::header_limit) return {431, "request header fields too large"};
  if (error == bhttp::error::body_limit) return {413, "request body too large"};
  if (error == bhttp::error::bad_version && NamesVersion(input))
    return {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  if (error == bhttp::error::bad_chunk || error == bhttp::error::bad_chunk_extension) {
    return {400, "malformed chunk"};
  }
  if (error == bhttp::error::multiple_content_length || error == bhttp::error::bad_content_length ||
      error == bhttp::error::bad_transfer_encoding) {
    return {400, "ambiguous message length"};
  }
  return {400, "malformed request"};
}

}  // namespace

std::optional<HeadBlock> FindHeadBlock(std::string_view input, size_t scanned) {
  // Steps from LF to LF; three bytes back, for the end may lie across two reads.
  size_t from = scanned > 3 ? scanned - 3 : 0;
  for (;;) {
    const size_t lf = input.find('\n', from);
    if (lf == std::string_view::npos) return std::nullopt;
    if (lf == 0 || input[lf - 1] != '\r') return HeadBlock{.malformed = true};
    if (lf >= 3 && input[lf - 2] == '\n') return HeadBlock{.size = lf + 1};
    if (lf + 1 < input.size() && (input[lf + 1] == ' ' || input[lf + 1] == '\t')) {
      return HeadBlock{.malformed = true};
    }
    from = lf + 1;
  }
}

class RequestParser::Impl : public MessageParser<true> {
 public:
  Impl(RequestHead* head, const Limits& limits) : MessageParser<true>(&head->headers), head_(head) {
    this->header_limit(static_cast<uint32_t>(limits.max_header_bytes));
    this->body_limit(limits.max_request_body_bytes);
    this->max_fields = limits.max_header_fields;
  }

 private:
  void on_request_impl(bhttp::verb, string_view method, string_view target, int version,
                       error_code& ec) override {
    if (version / 10 != 1) ec = bhttp::error::bad_version;
    head_->method.assign(method.data(), method.size());
    head_->target.assign(target.data(), target.size());
    head_->minor_version = version % 10;
  }
  void on_response_impl(int, string_view, int, error_code&) override {}

  RequestHead* head_;
};

RequestParser::RequestParser(const Limits& limits) : limits_(limits) {}
RequestParser::~RequestParser() = default;

void RequestParser::Reset() {
  head_.method.clear();
  head_.target.clear();
  head_.headers.Clear();
  scanned_ = 0;
}

ParseResult RequestParser::Refuse(Rejection rejection) {
  rejection_ = rejection;
  return {Progress::kError, 0};
}

namespace {

bool IsVisibleAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// RFC 9112 §3: room for method, version and two spaces beside the target.
bool IsTargetTooLong(std::string_view input, const Limits& limits) {
  constexpr size_t kLineSlack = 64;
  return std::min(input.find('\n'), input.size()) > limits.max_target_bytes + kLineSlack;
}

std::optional<Rejection> CheckHead(const RequestHead& head, int hosts, Coding coding) {
  if (!IsVisibleAscii(head.target)) return Rejection{400, "malformed request target"};
  if (hosts > 1 || (hosts == 0 && head.minor_version >= 1))
    return Rejection{400, "exactly one Host is needed"};
  if (const auto host = head.headers.Get("Host"); host && !host->empty() && !IsAuthority(*host)) {
    return Rejection{400, "malformed Host"};
  }
  if (coding != Coding::kNone && head.minor_version == 0)
    return Rejection{400, "Transfer-Encoding in HTTP/1.0"};
  if (coding == Coding::kFaulty) return Rejection{400, "ambiguous message length"};
  if (coding == Coding::kUnknown) return Rejection{501, "the only transfer coding known here is chunked"};
  return std::nullopt;
}

}  // namespace

ParseResult RequestParser::ParseHead(std::string_view input) {
  if (IsTargetTooLong(input, limits_)) return Refuse({414, "request target too long"});
  const std::optional<HeadBlock> block = FindHeadBlock(input, scanned_);
  scanned_ = input.size();
  if (block && block->malformed) return Refuse({400, "malformed line end"});
  if ((block ? block->size : input.size()) > limits_.max_header_bytes) {
    return Refuse({431, "request header fields too large"});
  }
  if (!block) return {};

  if (!impl_) {
    impl_ = std::make_unique<Impl>(&head_, limits_);
  } else {  // in the same memory: Beast's parsers are for one message
    std::destroy_at(impl_.get());
    std::construct_at(impl_.get(), &head_, limits_);
  }
  const ParseResult result = impl_->Head(input.substr(0, block->size));
  if (result.progress == Progress::kError) return Refuse(RejectionFor(impl_->error, input));
  if (result.progress == Progress::kNeedMore) return Refuse({400, "malformed request"});
  head_.keep_alive = impl_->keep_alive();
  head_.chunked = impl_->chunked();
  head_.content_length.reset();
  if (const auto length = impl_->content_length()) head_.content_length = *length;
  if (head_.target.size() > limits_.max_target_bytes) return Refuse({414, "request target too long"});
  if (head_.content_length.value_or(0) > limits_.max_request_body_bytes) {
    return Refuse({413, "request body too large"});
  }
  if (const auto rejection = CheckHead(head_, impl_->hosts, impl_->coding)) {
    return Refuse(*rejection);
  }
  return {Progress::kDone, block->size};
}

ParseResult RequestParser::ParseBody(std::string_view input, std::string* out) {
  const ParseResult result = impl_->Body(input, out);
  if (result.progress == Progress::kError) rejection_ = RejectionFor(impl_->error, input);
  return result;
}

bool RequestParser::body_done() const { return !head_.has_body() || impl_->is_done(); }

class ResponseParser::Impl : public MessageParser<false> {
 public:
  Impl(http::ResponseHead* head, const Limits& limits, bool head_request)
      : MessageParser<false>(&head->headers), head_(head) {
    this->header_limit(static_cast<uint32_t>(limits.max_response_header_bytes));
    this->body_limit(boost::none);
    this->skip(head_request);
  }

  int minor_version = 1;

 private:
  void on_request_impl(bhttp::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int status, string_view reason, int version, error_code& ec) override {
    if (version / 10 != 1) ec = bhttp::error::bad_version;
    if (status < 100) ec = bhttp::error::bad_status;
    minor_version = version % 10;
    head_->status = status;
    head_->reason.assign(reason.data(), reason.size());
  }

  http::ResponseHead* head_;
};

ResponseParser::ResponseParser(const Limits& limits, bool head_request)
    : impl_(std::make_unique<Impl>(&head_, limits, head_request)) {}
ResponseParser::~ResponseParser() = default;

ParseResult ResponseParser::ParseHead(std::string_view input) {
  const std::optional<HeadBlock> block = FindHeadBlock(input, scanned_);
  scanned_ = input.size();
  if (!block) return {};
  if (block->malformed) return {Progress::kError, 0};
  ParseResult result = impl_->Head(input.substr(0, block->size));
  if (result.progress == Progress::kNeedMore) result.progress = Progress::kError;
  const bool old = impl_->minor_version == 0;
  if (impl_->coding != Coding::kNone && (old || impl_->coding != Coding::kChunked)) {
    result.progress = Progress::kError;
  }
  return result;
}

bool ResponseParser::keep_alive() const { return impl_->keep_alive(); }
int ResponseParser::minor_version() const { return impl_->minor_version; }

Framing ResponseParser::framing() const {
  if (impl_->is_done()) return Framing::kNone;
  if (impl_->chunked()) return Framing::kChunked;
  return impl_->content_length() ? Framing::kContentLength : Framing::kUntilClose;
}

uint64_t ResponseParser::content_length() const { return impl_->content_length().value_or(0); }

ParseResult ResponseParser::ParseBody(std::string_view input, std::string* out) {
  return impl_->Body(input, out);
}

bool ResponseParser::body_done() const { return impl_->is_done(); }

Progress ResponseParser::ParseEnd() {
  if (impl_->is_done()) return Progress::kDone;
  if (!impl_->is_header_done() || framing() != Framing::kUntilClose) return Progress::kError;
  error_code error;
  impl_->put_eof(error);
  return error ? Progress::kError : Progress::kDone;
}

}  // namespace perigee::replica
