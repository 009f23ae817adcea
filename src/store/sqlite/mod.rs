//! SQLite behind the contracts.
