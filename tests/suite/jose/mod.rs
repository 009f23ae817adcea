//! Our tokens beside jsonwebtoken's own, and texts that are no tokens.

mod key_set;
mod peek;
mod sign;
