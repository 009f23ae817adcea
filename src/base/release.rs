//! The date of this release. A clock that shows an earlier time is wrong. `just release-date` sets the date; nothing
//! else does.

use super::moment::Moment;

/// Time of the release, in seconds since 1970. A clock that shows an earlier time is wrong.
const RELEASED_AT: i64 = 1_795_996_800;

/// Time at which this program was released.
pub const RELEASED: Moment = Moment::from_unix(RELEASED_AT);
