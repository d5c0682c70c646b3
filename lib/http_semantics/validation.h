// Validation in both directions: asking the origin whether a stored response is still good, and answering a
// client that asks the same (RFC 9111 §4.3, RFC 9110 §13).
#pragma once

#include <optional>
#include <string_view>

#include "lib/http_semantics/message.h"

namespace perigee::http {

// Whether it has an ETag or a Last-Modified to validate it by.
bool HasValidator(const HeaderList& response);

// The time of a Last-Modified that is a strong validator: the response was made later (RFC 9110 §8.8.2.2).
std::optional<WallTime> StrongLastModified(const HeaderList& response, WallTime now);
// What tells byte by byte which representation it is: a strong ETag or, where there is no ETag at all, a
// Last-Modified as above. Points into `response`.
std::optional<std::string_view> StrongValidator(const HeaderList& response, WallTime now);

// Makes `request` one that validates `stored`: its own If-None-Match and If-Modified-Since (and If-Match,
// If-Unmodified-Since, If-Range, Range) are removed, and the validators of `stored` put in.
void MakeConditional(const HeaderList& stored, HeaderList* request);

// The same for a request that goes on to ask for its Range: it is answered by a 304 when `stored` is still
// good, else as the client wants it. So its If-Range, If-Match and If-Unmodified-Since stay.
void MakeConditionalInPart(const HeaderList& stored, HeaderList* request);

// Whether a 304 is about `stored` (RFC 9111 §4.3.4): the validators that both have agree, the ETag by weak
// comparison. When false, forget the stored one and fetch without condition.
bool NotModifiedAppliesTo(const HeaderList& stored, const HeaderList& not_modified);

// `stored` with the fields of the 304 in place of its own (RFC 9111 §3.2), except those about the body, which
// stays: Content-Length, Content-Encoding, Content-Range, Content-MD5, and what is hop-by-hop. The times
// become the 304's, the tags too if it has any.
ResponseHead MergeNotModified(const ResponseHead& stored, const ResponseHead& not_modified);

// Whether no such status can answer `request`: a 304 to no condition (RFC 9110 §15.4.5), a 206 to no Range
// (§15.3.7), which the client would take for the whole.
bool IsUnasked(int status, const HeaderList& request);

// Whether a response to HEAD is about `stored` (RFC 9111 §4.3.5): the validators and the Content-Length that
// it has are those of the stored one.
bool HeadAppliesTo(const HeaderList& stored, const HeaderList& head);

enum class ConditionResult {
  kUnconditional,  // there is no condition, or one that does not concern a stored response
  kModified,       // send the whole response
  kNotModified,    // send 304
};

// A client's If-None-Match or, without it, If-Modified-Since, against a stored 200 (RFC 9110 §13.1.2,
// §13.1.3, §13.2.2). Only for GET and HEAD; other methods and statuses are kUnconditional.
ConditionResult EvaluateCondition(std::string_view method, const HeaderList& request,
                                  const ResponseHead& stored, WallTime now);

// The fields that a 304 carries (RFC 9110 §15.4.5): all of `stored` but those that describe the body.
HeaderList NotModifiedHeaders(const HeaderList& stored);

// Weak comparison of two entity tags (RFC 9110 §8.8.3.2); both in their wire form, such as W/"x".
bool WeakETagMatch(std::string_view a, std::string_view b);

}  // namespace perigee::http
