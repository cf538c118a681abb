#pragma once

#include <string_view>

namespace ica::cmd {

// Tells systemd about this service ("READY=1", "STOPPING=1") when it asked for that with
// NOTIFY_SOCKET.
void notify_service_manager(std::string_view state);

}  // namespace ica::cmd
