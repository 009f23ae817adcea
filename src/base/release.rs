//! The date of this release: a clock that is before it is wrong. `just release-date` sets the date; nothing else does.

use super::moment::Moment;

/// Time before which no clock can be while this program runs, in seconds since 1970.
const RELEASED_AT: i64 = 1_795_996_800;

/// Time at which this program was released.
pub const RELEASED: Moment = Moment::from_unix(RELEASED_AT);
