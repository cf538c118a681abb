#pragma once

// The one way in which the project includes Asio, and the few aliases that everybody uses.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stop_token>

#include "common/base/result.h"

namespace ica {

namespace asio = boost::asio;

// A coroutine on an Asio executor. Rules: named functions only, never a lambda with captures;
// arguments by value or shared_ptr; no lock held across co_await; errors in the Result, not thrown.
template <typename T>
using Task = asio::awaitable<T>;
using Executor = asio::any_io_executor;

// Cancellation. Every asynchronous call takes one; it ends with Code::Cancelled soon after a stop
// was requested. std's own types because they compose with callbacks and cost one atomic.
using StopSource = std::stop_source;
using StopToken = std::stop_token;

}  // namespace ica
