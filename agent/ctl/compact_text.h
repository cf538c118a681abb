#pragma once

#include <string>
#include <string_view>

namespace ica::ctl {

// What a compaction's documents say, as text. Thread-safety: pure functions.

// What would be done, in at most `width` columns (0: no limit).
std::string format_compact_plan(std::string_view plan, size_t width);
// Who cannot take part, and why, on one line; empty: all can.
std::string compact_problems(std::string_view plan);
// How far one is, or what became of the last one.
std::string format_compact_status(std::string_view status);
// What was done.
std::string format_compacted(std::string_view status);

}  // namespace ica::ctl
