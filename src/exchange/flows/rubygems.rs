//! Parts that RubyGems' two flows, roles and trusted publishers, share: the name of the flows, and the claims that
//! rubygems.org requires.

use crate::verifier::ClaimForm;

/// Stable name of RubyGems' two flows, for roles and for trusted publishers, which is stored with issued keys. Both
/// flows have one name, because their keys are used in the same way.
pub(in crate::exchange) const NAME: &str = "rubygems";

/// Claims that rubygems.org requires of every token, each with the type of the claim's value.
pub const RUBYGEMS_CLAIMS: [(&str, ClaimForm); 4] =
    [("nbf", ClaimForm::Integer), ("iat", ClaimForm::Integer), ("exp", ClaimForm::Integer), ("jti", ClaimForm::Text)];
