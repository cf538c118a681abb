#pragma once

#include <string>

#include "agent/ctl/session.h"
#include "common/base/time.h"

namespace ica::ctl {

// How far a CID is on its way to `target`, from the statuses of its peers. With a limit that many
// peers are enough (never more than there are); without one all must be there, and `remote` counts
// when the target is "pinned".
enum class Progress { Waiting, Reached, Failed };
Progress progress_of(std::string_view global_pin_info, std::string_view target, int64_t limit);

struct WaitOutcome {
  std::string status;  // the last GlobalPinInfo as JSON
  int exit = 0;        // when not 0 the error has been told
};
// Asks for the status of `cid` every second until the target is reached. A timeout of one second or
// less is none.
Task<WaitOutcome> wait_for(Session& session, std::string cid, std::string target, Duration timeout,
                           int64_t limit);

}  // namespace ica::ctl
