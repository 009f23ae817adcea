//! Checks the times of a token: whether the token is valid now, and not valid for too long. This file never reads a
//! clock, and its arithmetic never overflows.

use super::{Claims, TokenRefusal};
use crate::base::{Moment, Seconds};

/// Maximum tolerance between a provider's clock and ours that the configuration may set. A used token is remembered
/// until this long after `exp`, because the tolerance could until then accept the token a second time.
pub const MAX_TOLERANCE: Seconds = Seconds::new(300);

/// Checks that `nbf − t ≤ now < exp + t` and `iat ≤ now + t`, where `t` is the tolerance.
///
/// # Errors
/// [`TokenRefusal::Expired`] if `exp` fails, [`TokenRefusal::NotYetValid`] if `nbf` fails,
/// [`TokenRefusal::IssuedAhead`] if `iat` fails.
pub(super) fn check_times(claims: &Claims, tolerance: Seconds, now: Moment) -> Result<(), TokenRefusal> {
    let tolerance = signed(tolerance);
    if now.unix().saturating_sub(tolerance) >= claims.expires().unix() {
        return Err(TokenRefusal::Expired { expired: claims.expires(), now });
    }
    let latest_start = now.unix().saturating_add(tolerance);
    if let Some(from) = claims.not_before().filter(|from| from.unix() > latest_start) {
        return Err(TokenRefusal::NotYetValid { from, now });
    }
    if claims.issued().unix() > latest_start {
        return Err(TokenRefusal::IssuedAhead { issued: claims.issued(), now });
    }
    Ok(())
}

/// Checks that `0 < exp − iat ≤ longest` and `exp − now ≤ longest + t`, where `t` is the tolerance.
///
/// # Errors
/// [`TokenRefusal::Lifetime`] if the token's lifetime is too long or not positive.
pub(super) fn check_lifetime(
    claims: &Claims,
    longest: Seconds,
    tolerance: Seconds,
    now: Moment,
) -> Result<(), TokenRefusal> {
    let lifetime = claims.expires().unix().saturating_sub(claims.issued().unix());
    if lifetime <= 0 || lifetime > signed(longest) {
        return Err(TokenRefusal::Lifetime { longest, actual: lifetime });
    }
    let left = claims.expires().unix().saturating_sub(now.unix());
    if left > signed(longest).saturating_add(signed(tolerance)) {
        return Err(TokenRefusal::Lifetime { longest, actual: left });
    }
    Ok(())
}

fn signed(length: Seconds) -> i64 {
    i64::try_from(length.get()).unwrap_or(i64::MAX)
}
