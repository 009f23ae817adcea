//! The parts in which the flows of the exchange differ: the audience, the entitlements that may accept the token, and
//! the credential. Nothing here writes to the database.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::entitlements::{ProviderEntry, RulesSnapshot, SharedEntitlement};
use super::exchange::Exchange;
use super::refusal::{ExchangeRefusal, NotExchanged};
use super::settings::ExchangeSettings;
use super::subject_token::SubjectToken;
use crate::base::{Moment, Seconds, Secret};
use crate::policy::{CelFailure, Pins, Unmatched};
use crate::verifier::{ClaimForm, Provider, Trail};

/// One evaluation of a subject token against one snapshot of the rules.
pub struct Attempt<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) rules: &'a RulesSnapshot,
    pub(super) token: &'a Secret<String>,
    pub(super) now: Moment,
    pub(super) trail: &'a mut Trail,
}

/// One way through the exchange, such as NuGet's token API. A flow determines which tokens are verified, and which
/// entitlements or access policies decide on the tokens.
#[async_trait]
pub trait Flow: Send + Sync {
    /// Stable name of the flow, which labels metrics and is stored with credentials and events.
    fn name(&self) -> &'static str;

    /// Returns the audience that the flow requires of a token that this provider verifies.
    ///
    /// # Errors
    /// [`NotExchanged`] if the rules name no audience, so that no token can be accepted.
    fn audience<'a>(
        &'a self,
        rules: &'a RulesSnapshot,
        settings: &'a ExchangeSettings,
        provider: &'a Provider,
    ) -> Result<FlowAudience<'a>, NotExchanged>;

    /// Returns whether access policies or entitlements decide on the verified tokens.
    fn decided_by(&self) -> DecidedBy<'_>;

    /// Returns the claims that every token must have, with their types.
    fn typed_claims(&self) -> &'static [(&'static str, ClaimForm)] {
        &[]
    }

    /// Returns the providers that may verify the token: by default all providers of the token's issuer.
    ///
    /// # Errors
    /// [`NotExchanged`] if no provider may verify the token.
    fn providers(&self, attempt: &Attempt<'_>) -> Result<Vec<Arc<ProviderEntry>>, NotExchanged> {
        attempt.providers_of_issuer(|_| true)
    }

    /// Whether each provider requires a different audience, so that at most one provider accepts the token.
    fn has_audience_per_provider(&self) -> bool {
        false
    }

    /// Checks the verified tokens before any entitlement is tried. A flow may remove tokens that fail the check.
    ///
    /// # Errors
    /// [`NotExchanged`] refuses the request.
    async fn check_tokens(
        &self,
        _attempt: &mut Attempt<'_>,
        _tokens: &mut Vec<SubjectToken>,
    ) -> Result<(), NotExchanged> {
        Ok(())
    }
}

/// Audience that a flow requires of subject tokens, in place of the audience that the token's provider requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowAudience<'a> {
    /// The verifier compares the token's audience with this one.
    Required(&'a str),
    /// The verifier compares no audience. The flow compares the verified token's audience with the audience of each
    /// entitlement.
    ComparedLater,
}

/// Kind of rules that decides on a flow's tokens.
pub enum DecidedBy<'a> {
    /// Access policies of the configuration. The flow evaluates the policies when it determines the scopes of the
    /// credential.
    AccessPolicies,
    /// Entitlements of this flow. A token that no entitlement accepts is refused.
    Entitlements(&'a dyn EntitlementFlow),
}

/// A flow in which entitlements (roles, trusted publishers, trust policies or grants) decide on tokens.
#[async_trait]
pub trait EntitlementFlow: Flow {
    /// Returns the entitlements that may accept the tokens, in the order in which the entitlements are tried. `tokens`
    /// holds the subject token once for each provider that verified the token.
    fn candidates(&self, rules: &RulesSnapshot, tokens: &[SubjectToken]) -> Result<Vec<Candidate>, ExchangeRefusal>;

    /// Checks a verified token against one entitlement, for example against a grant's condition.
    ///
    /// # Errors
    /// [`NotExchanged`] refuses the whole request; after a [`Mismatch`] the next entitlement is tried.
    async fn check(
        &self,
        attempt: &mut Attempt<'_>,
        candidate: &Candidate,
        token: &SubjectToken,
    ) -> Result<Result<Accepted, Mismatch>, NotExchanged>;

    /// Returns the refusal of tokens for which there is no entitlement to try.
    fn no_entitlement(&self, tokens: &[SubjectToken]) -> ExchangeRefusal;

    /// Whether tokens of untrusted builds are rejected before [`Self::check`] instead of after it.
    fn checks_trust_first(&self) -> bool {
        false
    }

    /// Whether the credential for the entitlement `first` also covers the entitlement `other`, if both accept the
    /// token.
    fn joins(&self, _first: &Candidate, _other: &Candidate) -> bool {
        false
    }
}

/// A flow that issues a credential. Forward authentication is the one flow that issues none.
#[async_trait]
pub trait IssuingFlow: Flow {
    /// Returns the credential to issue: its name, scopes, audience, lifetime and form.
    ///
    /// # Errors
    /// [`NotExchanged`] if the request asks for more than the entitlement allows.
    async fn offer(&self, attempt: &mut Attempt<'_>, decision: &ExchangeDecision) -> Result<Offer, NotExchanged>;
}

/// An entitlement that may accept the subject token, with the provider that verified the token.
pub struct Candidate {
    pub(super) entitlement: SharedEntitlement,
    pub(super) entry: Arc<ProviderEntry>,
    /// Index of the verified token of this provider, in the list of verified tokens.
    pub(super) token: usize,
    pub(super) allow_untrusted: bool,
}

/// Answer of an entitlement that accepts the token. `pins` holds owner and repository ids that the entitlement lacked
/// and takes from this token; later tokens must have these ids.
#[derive(Default)]
pub struct Accepted {
    pub(super) pins: Option<Pins>,
}

/// Why an entitlement does not accept the token.
pub enum Mismatch {
    /// The token is of an untrusted build, and the entitlement does not allow untrusted builds.
    Untrusted,
    /// A criterion of the trust policy or publisher does not match the token.
    Criteria(Unmatched),
    /// The grant's condition is false for the token, or failed with an error.
    Condition(Option<CelFailure>),
}

/// Result of the evaluation: the verified token, and the entitlement that accepted the token.
pub struct ExchangeDecision {
    pub(super) subject_token: SubjectToken,
    /// Provider that verified the token.
    pub(super) entry: Arc<ProviderEntry>,
    /// Entitlement that accepted the token; `None` in flows that access policies decide.
    pub(super) entitlement: Option<SharedEntitlement>,
    /// Further entitlements that accepted the token and that the credential covers too.
    pub(super) joined: Vec<SharedEntitlement>,
    pub(super) pins: Option<Pins>,
}

/// Description of the credential that a flow issues for a token.
pub struct Offer {
    pub(super) name: String,
    /// User or package owner that the credential belongs to; `None` in flows without owners.
    pub(super) owner: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) packages: Vec<String>,
    pub(super) audience: String,
    pub(super) lifetime: Lifetime,
    pub(super) outlives_build: bool,
    pub(super) single_use: bool,
    pub(super) form: Form,
}

/// Lifetime of a credential that is about to be issued.
#[derive(Clone, Copy)]
pub(super) enum Lifetime {
    /// This lifetime, even if the subject token expires earlier.
    Fixed(Seconds),
    /// The remaining lifetime of the subject token, but at most this long.
    WithinToken(Seconds),
}

/// Form of a credential that is about to be issued: key or access token.
pub(super) enum Form {
    /// An opaque key.
    Key,
    /// An access token (RFC 9068), signed by our own issuer.
    AccessToken {
        /// Claims that the flow adds to the registered claims.
        claims: Map<String, Value>,
        /// Whether the access token grants any access. An access token without access is not recorded, so that repeated
        /// requests for such tokens do not fill the database.
        grants_access: bool,
    },
}

impl Offer {
    pub(super) fn grants_access(&self) -> bool {
        !matches!(self.form, Form::AccessToken { grants_access: false, .. })
    }
}
