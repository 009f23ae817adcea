//! Checks and compiles roles of RubyGems. A role's statements decide on a token, and the role's permissions limit the
//! issued key.

use super::fields::{gem_name, lifetime, line};
use crate::base::{FieldError, Seconds};
use crate::exchange::spec::RoleSpec;
use crate::policy::Statements;
use crate::verifier::Provider;

/// Scopes of API keys at rubygems.org. A role may name any of them.
const SCOPES: [&str; 9] = [
    "show_dashboard",
    "index_rubygems",
    "push_rubygem",
    "yank_rubygem",
    "add_owner",
    "update_owner",
    "remove_owner",
    "access_webhooks",
    "configure_trusted_publishers",
];
/// Scope that a role must not combine with any other scope.
const EXCLUSIVE: &str = "show_dashboard";

/// Minimum and maximum of `permissions.valid_for`, the lifetime of a role's keys.
const LIFETIMES: (Seconds, Seconds) = (Seconds::new(300), Seconds::new(86_400));
/// Default of `permissions.valid_for`.
const LIFETIME: Seconds = Seconds::new(1_800);

/// A role with checked fields and compiled statements, ready to decide on tokens.
pub struct CompiledRole {
    pub(in crate::exchange) spec: RoleSpec,
    pub(in crate::exchange) statements: Statements,
    pub(in crate::exchange) gem: Option<String>,
    pub(in crate::exchange) valid_for: Seconds,
}

impl CompiledRole {
    pub(super) fn new(spec: RoleSpec, provider: &Provider) -> Result<Self, FieldError> {
        line("name", &spec.name, 255)?;
        let permissions = &spec.permissions;
        let fault = |field: &str, problem: String| Err(FieldError::new(format!("permissions.{field}"), problem));
        if permissions.scopes.is_empty() {
            return fault("scopes", "must hold at least one scope".to_owned());
        }
        for (at, scope) in permissions.scopes.iter().enumerate() {
            if !SCOPES.contains(&scope.as_str()) {
                return fault("scopes", format!("unknown scope {scope}; must be one of {}", SCOPES.join(", ")));
            }
            if permissions.scopes.iter().take(at).any(|other| other == scope) {
                return fault("scopes", "must not list a scope twice".to_owned());
            }
        }
        if permissions.scopes.len() > 1 && permissions.scopes.iter().any(|scope| scope == EXCLUSIVE) {
            return fault("scopes", "show_dashboard is exclusive: leave out all other scopes".to_owned());
        }
        let gem = match permissions.gems.as_deref().unwrap_or_default() {
            [] => None,
            [gem] => Some(gem.clone()),
            _ => return fault("gems", "may include at most 1 gem".to_owned()),
        };
        if let Some(gem) = &gem {
            gem_name("permissions.gems", gem)?;
        }
        let valid_for = lifetime("permissions.valid_for", permissions.valid_for, LIFETIME, LIFETIMES)?;
        let statements = Statements::new(&spec.access_policy, provider.issuer())
            .map_err(|error| FieldError::new(format!("access_policy.{}", error.field), error.problem))?;
        Ok(Self { statements, gem, valid_for, spec })
    }
}
