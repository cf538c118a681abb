#include "agent/cluster/http_status.h"

#include "agent/cluster/cluster.h"

namespace ica::cluster {

int http_status_of(const Error& error) {
  switch (error.code()) {
    case Code::NotFound:
      return error.message() == kNotPinned ? 404 : 500;
    case Code::Busy:
      return 429;
    default:
      return 500;
  }
}

}  // namespace ica::cluster
