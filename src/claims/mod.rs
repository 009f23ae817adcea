//! What our tokens say. Pure: no clock, no store, no HTTP.

mod audience;
mod build;
mod event;
mod image;

pub use self::audience::AudiencePattern;
pub use self::build::{Build, Step};
pub use self::event::Event;
pub use self::image::Image;
