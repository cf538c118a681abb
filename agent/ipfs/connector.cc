#include "agent/ipfs/connector.h"

namespace ica::ipfs {

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::None:
      return "";
    case Reason::NoProviders:
      return "NO_PROVIDERS";
    case Reason::Stalled:
      return "STALLED";
    case Reason::KuboDown:
      return "KUBO_DOWN";
    case Reason::KuboError:
      return "KUBO_ERROR";
    case Reason::Cancelled:
      return "CANCELLED";
    case Reason::DiskFull:
      return "DISK_FULL";
  }
  ICA_UNREACHABLE();
}

Task<Result<uint64_t>> Connector::repo_objects(StopToken) {
  co_return fail(Code::Unsupported, "objects are not counted");
}

Reason Connector::reason_of(const Error& error, const PinProgress& progress) {
  switch (error.code()) {
    case Code::Cancelled:
      return Reason::Cancelled;
    case Code::Unavailable:
    case Code::Closed:
      return Reason::KuboDown;
    case Code::Timeout:
      return progress.nodes == 0 && progress.bytes == 0 ? Reason::NoProviders : Reason::Stalled;
    default:
      break;
  }
  for (const std::string_view full : {"no space left on device", "disk quota exceeded"}) {
    if (error.message().find(full) != std::string::npos) {
      return Reason::DiskFull;
    }
  }
  return Reason::KuboError;
}

}  // namespace ica::ipfs
