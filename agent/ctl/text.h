#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace ica::ctl {

// Small pieces of Go's formatting that the reference's output is made of. Thread-safety: pure
// functions.

// url.QueryEscape: letters, digits and -_.~ stay, a space becomes '+', the rest %XX.
std::string query_escape(std::string_view text);
// A path for a request line: '/' and what may stand in a path stay, the rest %XX.
std::string path_escape(std::string_view path);

// Number of code points; a broken byte counts as one.
size_t rune_count(std::string_view text);
// Spaces up to `width` code points, behind or in front of the text.
std::string pad_right(std::string_view text, size_t width);
std::string pad_left(std::string_view text, size_t width);

// "31,415".
std::string grouped(uint64_t number);
// "1 peer", "31,415 peers".
std::string plural(uint64_t number, std::string_view thing);
// A size in powers of 1000 with two or three digits: "968 B", "1.5 kB", "10 GB".
std::string humanize_bytes(uint64_t bytes);
// `then` as seen from `now`: "5 seconds from now", "1 minute ago", "now".
std::string relative_time(Time then, Time now);

// "2026-11-22 15:40:59" in the zone that the time carries.
std::string date_time(Time t);

// path.Clean: the shortest path that means the same, "." for nothing.
std::string clean_path(std::string_view path);
// path.Base: the last element, "/" for the root, "." for nothing.
std::string base_name(std::string_view path);

}  // namespace ica::ctl
