//! Tokens compared with those of jsonwebtoken, and texts that are not tokens.

mod key_set;
mod peek;
mod sign;
