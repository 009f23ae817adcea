//! What lies below the routes: sockets, connections, the caller's address, a panic in a handler.

mod connections;
mod panics;
mod peers;
mod shutdown;
