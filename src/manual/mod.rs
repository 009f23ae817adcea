//! The manual: prose that rustdoc checks. Contains no code. `book.toml` builds the same chapters as a book, in which the
//! links from chapter to chapter work.

#[doc = include_str!("api.md")]
pub mod api {}

#[doc = include_str!("bounds.md")]
pub mod bounds {}

#[doc = include_str!("command_line.md")]
pub mod command_line {}

#[doc = include_str!("configuration.md")]
pub mod configuration {}

#[doc = include_str!("decisions.md")]
pub mod decisions {}

#[doc = include_str!("exchange.md")]
pub mod exchange {}

#[doc = include_str!("glossary.md")]
pub mod glossary {}

#[doc = include_str!("operating.md")]
pub mod operating {}

#[doc = include_str!("proxies.md")]
pub mod proxies {}

#[doc = include_str!("rules.md")]
pub mod rules {}

#[doc = include_str!("start.md")]
pub mod start {}

#[doc = include_str!("threats.md")]
pub mod threats {}

#[doc = include_str!("tokens.md")]
pub mod tokens {}

#[doc = include_str!("tutorial.md")]
pub mod tutorial {}

#[doc = include_str!("verifier.md")]
pub mod verifier {}
