#pragma once

#include <string>

#include "common/codec/msgpack.h"

namespace ica::rpc {

// What a call begins with.
struct ServiceId {
  std::string service;
  std::string method;
};
void write(Bytes& out, const ServiceId& value);
void read(MsgpackReader& in, ServiceId& value);

enum class ErrorType { Method = 0, Server = 1, Client = 2, Authorization = 3 };

// What every answer begins with. Another value follows: the result, or nil after an error.
struct ResponseHeader {
  ServiceId service;
  std::string error;
  ErrorType type = ErrorType::Method;
};
void write(Bytes& out, const ResponseHeader& value);
void read(MsgpackReader& in, ResponseHeader& value);

// The error of an answer as ours: an Authorization error is PermissionDenied.
Error to_error(ResponseHeader&& header);

}  // namespace ica::rpc
