//! The routes. This tree mirrors the URL tree.

mod admin;
mod builds;
mod documents;
mod errors;
mod forward_auth;
mod health;
mod hostile;
mod nuget;
mod nuget_policies;
mod publications;
mod registry;
mod repos;
mod rubygems;
mod token_exchange;
mod without_secret;
