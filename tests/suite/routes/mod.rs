//! The doors; this tree mirrors the URL tree.

mod builds;
mod errors;
mod health;
mod hostile;
mod repos;
mod well_known;
mod without_secret;
