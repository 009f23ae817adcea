//! Objects that a RubyGems key with the scope `show_dashboard` may read: providers, and the roles and ID tokens of the
//! key's user, in the shapes of rubygems.org. A key must never read objects of other users.

use serde_json::{Value, json};

use super::entitlements::{CompiledRole, RulesSnapshot, SharedEntitlement};
use super::exchange::Exchange;
use super::flows::rubygems;
use super::refusal::ExchangeError;
use crate::base::Secret;
use crate::store::{StoreError, StoredCredential, StoredIdToken};

/// Scope that a key needs to read the dashboard.
const SCOPE: &str = "show_dashboard";

/// Why a dashboard request was refused.
#[derive(Debug)]
pub enum DashboardRefusal {
    /// The key is unknown, expired or revoked.
    Key,
    /// The key does not have the scope `show_dashboard`, or belongs to no user.
    Scope,
    /// The requested object does not exist, or belongs to another user.
    NotFound,
    /// The server failed to read the objects.
    Failed(ExchangeError),
}

impl From<StoreError> for DashboardRefusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Exchange {
    /// Lists the objects that the key may read: `what` is `providers`, `roles` or `id_tokens`. With an `id`, returns
    /// only the object of this id.
    ///
    /// # Errors
    /// [`DashboardRefusal`] if the key may not read the objects, the object is missing, or the server failed.
    pub async fn dashboard(
        &self,
        key: &Secret<String>,
        what: &str,
        id: Option<&str>,
    ) -> Result<Value, DashboardRefusal> {
        let now = self.parts.clock.now();
        let found = self.parts.store.find_credential(&self.id, key.digest()).await?;
        // A role may issue keys for the audience of another server. Such keys are not valid here.
        let own = |key: &StoredCredential| {
            key.flow == rubygems::NAME && key.audience == self.settings.rubygems_host && key.is_active(now)
        };
        let found = found.filter(own);
        let found = found.ok_or(DashboardRefusal::Key)?;
        if !found.scopes.iter().any(|scope| scope == SCOPE) {
            return Err(DashboardRefusal::Scope);
        }
        let user = found.user.ok_or(DashboardRefusal::Scope)?;
        let snapshot = self.parts.rules_cache.current().await?;
        let all: Vec<Value> = match what {
            "providers" => providers(&snapshot),
            "roles" => roles(&snapshot, &user),
            _ => {
                let tokens = self.parts.store.list_id_tokens(&self.id, &user).await?;
                tokens.iter().map(|token| id_token(&snapshot, token)).collect()
            }
        };
        let Some(id) = id else { return Ok(Value::Array(all)) };
        let named = |item: &Value| item["id"] == id || item["token"] == id;
        all.into_iter().find(named).ok_or(DashboardRefusal::NotFound)
    }
}

fn providers(snapshot: &RulesSnapshot) -> Vec<Value> {
    let document = |text: Option<&String>| text.and_then(|text| serde_json::from_str::<Value>(text).ok());
    snapshot
        .entries
        .values()
        .map(|entry| {
            let fetched = entry.row.as_ref().and_then(|row| row.fetched.as_ref());
            json!({
                "id": entry.provider().name(), "issuer": entry.provider().issuer(),
                "configuration": document(fetched.and_then(|fetched| fetched.configuration.as_ref())),
                "jwks": document(fetched.map(|fetched| &fetched.jwks)),
            })
        })
        .collect()
}

fn roles(snapshot: &RulesSnapshot, user: &str) -> Vec<Value> {
    snapshot.roles_of(user).filter_map(|role| self::role(snapshot, role)).collect()
}

fn role(snapshot: &RulesSnapshot, entitlement: &SharedEntitlement) -> Option<Value> {
    let row = &entitlement.row;
    let entry = snapshot.entry(&row.provider)?;
    let compiled = <&CompiledRole>::try_from(entitlement.compiled(entry.provider()).ok()?).ok()?;
    let spec = &compiled.spec;
    let mut policy = spec.access_policy.clone();
    for statement in &mut policy.statements {
        statement.principal.oidc = statement.principal.issuer(entry.provider().issuer()).to_owned();
    }
    Some(json!({
        "id": row.id, "token": row.token, "oidc_provider_id": row.provider, "user_id": row.user,
        "api_key_permissions": {
            "scopes": spec.permissions.scopes, "valid_for": compiled.valid_for.get(),
            "gems": compiled.gem.as_ref().map(|gem| vec![gem]),
        },
        "name": row.name, "access_policy": policy,
        "created_at": row.created_at, "updated_at": row.updated_at, "deleted_at": null,
    }))
}

fn id_token(snapshot: &RulesSnapshot, token: &StoredIdToken) -> Value {
    let role = token.entitlement.and_then(|id| snapshot.entitlement(id)).and_then(|role| role.row.token.clone());
    let document = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    json!({
        "id": token.id, "api_key_role_token": role,
        "jwt": { "claims": document(&token.claims), "header": document(&token.header) },
    })
}
