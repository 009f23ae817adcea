//! What both flows of RubyGems share: their name and the claims that rubygems.org requires.

use crate::verifier::ClaimForm;

/// Stable name of both flows: their keys are of one kind.
pub(in crate::exchange) const NAME: &str = "rubygems";

/// Claims that rubygems.org requires of every token, with their types.
pub const RUBYGEMS_CLAIMS: [(&str, ClaimForm); 4] =
    [("nbf", ClaimForm::Integer), ("iat", ClaimForm::Integer), ("exp", ClaimForm::Integer), ("jti", ClaimForm::Text)];
