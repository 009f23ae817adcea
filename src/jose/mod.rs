//! Bytes, keys, signatures (RFC 7515, 7517, 7518, 7638). No clock, no store, no HTTP.

mod algorithm;

pub use self::algorithm::Algorithm;
