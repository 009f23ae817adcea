//! The doors; this tree mirrors the URL tree.

mod admin;
mod authz;
mod builds;
mod errors;
mod health;
mod hostile;
mod nuget;
mod nuget_policies;
mod oauth;
mod publications;
mod registry;
mod repos;
mod rubygems;
mod well_known;
mod without_secret;
