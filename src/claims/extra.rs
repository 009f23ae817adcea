//! Extra claims of tokens, which the operator configures as templates. An extra claim never has a name that verifiers
//! read as a permission, such as `scope` or `groups`.

use std::collections::BTreeMap;

use super::build::{Build, BuildStep};
use super::presets::is_preset_name;
use super::template::{Part, Template};
use crate::base::FieldError;

/// Names that no extra claim may have: registered claims, claims that verifiers read as permissions, and claims of
/// future presets.
const RESERVED: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "act",
    "may_act",
    "cnf",
    "scope",
    "scp",
    "client_id",
    "groups",
    "email",
    "email_verified",
    "phone_number",
    "phone_number_verified",
    "roles",
    "role",
    "entitlements",
    "azp",
    "acr",
    "amr",
    "auth_time",
    "nonce",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "sub_id",
    "sub_jwk",
    "events",
    "txn",
    "status",
    "vot",
    "vtm",
    "name",
    "preferred_username",
    "upn",
    "oid",
    "tid",
    "appid",
    "idtyp",
    "kubernetes.io",
    "google",
    "https://aws.amazon.com/tags",
    "https://aws.amazon.com/source_identity",
    "aws:tags",
    "https://aws.amazon.com/roles",
    "repository_owner",
    "environment_node_id",
    "check_run_id",
    "enterprise",
    "enterprise_id",
    "issuer_scope",
    "namespace_id",
    "namespace_path",
    "project_id",
    "project_path",
    "user_id",
    "user_login",
    "user_email",
    "user_access_level",
    "user_identities",
    "pipeline_id",
    "pipeline_source",
    "job_id",
    "ref_path",
    "groups_direct",
    "environment_protected",
    "deployment_tier",
    "environment_action",
    "ci_config_ref_uri",
    "ci_config_sha",
    "project_visibility",
    "job_source",
    "job_config",
];

/// Prefixes that no extra claim's name may have, because clouds give such names a meaning.
const RESERVED_PREFIXES: &[&str] = &["https://aws.amazon.com/", "aws:", "kubernetes.io", "job_project_"];

/// Maximum bytes of an extra claim's name.
const MAX_NAME_BYTES: usize = 128;

/// The extra claims of an issuer's tokens, each a name and a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtraClaims(Vec<(String, Template)>);

impl ExtraClaims {
    /// Checks the names of the claims and parses the template of each. `claims` maps names to templates.
    ///
    /// # Errors
    /// [`FieldError`], whose field is the name of the first invalid claim.
    pub fn compile(claims: &BTreeMap<String, String>) -> Result<Self, FieldError> {
        let compiled = claims.iter().map(|(name, text)| {
            let folded = name.to_ascii_lowercase();
            if RESERVED.contains(&folded.as_str())
                || RESERVED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
                || is_preset_name(&folded)
            {
                return Err(FieldError::new(name, "is reserved: verifiers give it a meaning of their own"));
            }
            if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(FieldError::new(
                    name.escape_default().to_string(),
                    "must be 1 to 128 printable ASCII characters",
                ));
            }
            let template = Template::parse(text).map_err(|problem| FieldError::new(name, problem))?;
            if template.parts.is_empty() {
                return Err(FieldError::new(name, "must not be empty"));
            }
            Ok((name.clone(), template))
        });
        compiled.collect::<Result<_, _>>().map(Self)
    }

    /// Calls `emit` with the name and value of each extra claim. Skips a claim if any field of the template has no
    /// value.
    pub(super) fn each<E>(
        &self,
        build: &Build,
        step: Option<&BuildStep>,
        mut emit: impl FnMut(&str, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        for (name, template) in &self.0 {
            let parts = template.parts.iter().map(|part| match part {
                Part::Field(field) => field.value(build, step),
                Part::Literal(text) => Some(text.as_str().into()),
            });
            if let Some(value) = parts.collect::<Option<String>>() {
                emit(name, &value)?;
            }
        }
        Ok(())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}
