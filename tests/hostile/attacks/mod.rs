//! The attacks, by the layer that they are meant for.

pub(crate) mod bodies;
pub(crate) mod connections;
pub(crate) mod heads;
pub(crate) mod log;
pub(crate) mod logins;
pub(crate) mod readers;
pub(crate) mod tokens;
