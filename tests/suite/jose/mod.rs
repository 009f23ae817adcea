//! Our tokens beside jsonwebtoken's own, and texts that are no tokens.

mod peek;
mod sign;
