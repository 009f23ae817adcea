//! What lies below the routes: sockets, connections, bodies, the caller's address, a panic in a handler.

mod bodies;
mod connections;
mod memory;
mod panics;
mod peers;
mod places;
mod shutdown;
