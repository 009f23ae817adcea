//! Criteria for a project of GitLab. Compares environments with regard to upper and lower case, as GitLab does.

use serde_json::{Map, Value};

use super::input::{Input, path_of};
use super::outcome::{Pins, Unmatched, required, same_id, same_name, text};
use crate::base::FieldError;

/// Criteria that name a project of GitLab, by paths and ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitlabCriteria {
    /// Full path of the namespace that contains the project.
    pub namespace_path: String,
    /// Id of the namespace; if `None`, the first matching token determines the id.
    pub namespace_id: Option<String>,
    /// Path of the project within the namespace.
    pub project_path: String,
    /// Id of the project; if `None`, the first matching token determines the id.
    pub project_id: Option<String>,
    /// Branch that the job must run on; `None` allows any ref.
    pub git_ref: Option<String>,
    /// Environment that the job must have; `None` allows any job.
    pub environment: Option<String>,
}

impl GitlabCriteria {
    pub(super) fn read(table: &Map<String, Value>) -> Result<Self, FieldError> {
        const FIELDS: [&str; 6] =
            ["namespace_path", "namespace_id", "project_path", "project_id", "ref", "environment"];
        let input = Input::new(table, &FIELDS)?;
        let namespace = path_of(input.required("namespace_path")?);
        let project = path_of(input.required("project_path")?).rsplit('/').next().unwrap_or_default();
        for (field, path) in [("namespace_path", namespace), ("project_path", project)] {
            let is_valid = |part: &str| {
                !part.is_empty()
                    && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
                    && ![".atom", ".git"].iter().any(|ending| part.ends_with(ending))
                    && !part.chars().all(|character| character == '.')
            };
            if !path.split('/').all(is_valid) {
                return Err(FieldError::new(field, "must be a path of GitLab, such as acme/tools"));
            }
        }
        let environment = input.text("environment")?;
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b" -_/${}".contains(&byte);
        if environment.is_some_and(|environment| !environment.bytes().all(is_allowed)) {
            let problem = "must contain only letters, digits, spaces and - _ / $ { }";
            return Err(FieldError::new("environment", problem));
        }
        Ok(Self {
            namespace_path: namespace.to_owned(),
            namespace_id: input.owned("namespace_id")?,
            project_path: project.to_owned(),
            project_id: input.owned("project_id")?,
            git_ref: input.owned("ref")?,
            environment: environment.map(str::to_owned),
        })
    }

    pub(super) fn evaluate(&self, policy: &str, claims: &Map<String, Value>) -> Result<Pins, Unmatched> {
        let (namespace, project) = (required(claims, "namespace_path")?, required(claims, "project_path")?);
        let (namespace_id, project_id) = (required(claims, "namespace_id")?, required(claims, "project_id")?);
        same_name("namespace_path", &self.namespace_path, namespace)?;
        same_name("project_path", &format!("{}/{}", self.namespace_path, self.project_path), project)?;
        let pins = Pins {
            owner_id: same_id("namespace_id", self.namespace_id.as_deref(), namespace_id)?,
            repository_id: same_id("project_id", self.project_id.as_deref(), project_id)?,
        };
        if let Some(expected) = &self.git_ref {
            let actual = text(claims, "ref").unwrap_or_default();
            if actual != expected {
                return Err(Unmatched::undisclosed("ref", expected, actual));
            }
            let ref_type = text(claims, "ref_type").unwrap_or_default();
            if ref_type != "branch" {
                return Err(Unmatched::undisclosed("ref_type", "branch", ref_type));
            }
        }
        if let Some(expected) = &self.environment {
            let actual = text(claims, "environment");
            if actual != Some(expected) {
                return Err(Unmatched::environment(policy, expected, actual));
            }
        }
        Ok(pins)
    }
}
