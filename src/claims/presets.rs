//! Presets: sets of claim names for the fields of a build, such as the names that GitHub uses. A preset never holds a
//! value of a build.

use super::fields::{Field, FieldSource, FieldValue};

/// A set of claim names for the fields of a build, named after the CI system whose tokens have these names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "lowercase", parse_err_ty = crate::base::ParseProblem, parse_err_fn = unknown)]
pub enum Preset {
    /// The claim names of GitHub's tokens, for verifiers that were written for GitHub.
    GitHub,
    /// The claim names of Vela's tokens, which are the default.
    Vela,
}

fn unknown(name: &str) -> &'static str {
    match name {
        "gitlab" => "gitlab is not supported yet; use vela, github or both",
        _ => "must be vela or github",
    }
}

/// The presets of an issuer's tokens: at least one preset, without duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presets(Vec<Preset>);

impl TryFrom<Vec<Preset>> for Presets {
    type Error = &'static str;

    fn try_from(presets: Vec<Preset>) -> Result<Self, Self::Error> {
        match presets.as_slice() {
            [] => Err("must name at least one preset: vela or github"),
            [first, second, ..] if presets.len() > 2 || first == second => Err("names a preset twice"),
            _ => Ok(Self(presets)),
        }
    }
}

impl Presets {
    /// Returns the claim names of a field under these presets, without duplicates.
    fn names(&self, field: &Field) -> impl Iterator<Item = &'static str> {
        let name = |preset: Option<&Preset>| match preset? {
            Preset::GitHub => field.github(),
            Preset::Vela => field.vela(),
        };
        let first = name(self.0.first());
        let second = name(self.0.get(1)).filter(|second| Some(*second) != first);
        first.into_iter().chain(second)
    }

    /// Calls `emit` with the name and value of every claim for which the build has a value.
    pub(super) fn each<E>(
        &self,
        source: &FieldSource<'_>,
        mut emit: impl FnMut(&'static str, &FieldValue<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for field in Field::all() {
            let mut names = self.names(field).peekable();
            if names.peek().is_none() {
                continue;
            }
            let Some(value) = field.claim_value(source) else { continue };
            names.try_for_each(|name| emit(name, &value))?;
        }
        Ok(())
    }

    /// Returns every claim name that tokens with these presets may have.
    pub(super) fn all_names(&self) -> impl Iterator<Item = &'static str> {
        Field::all().flat_map(|field| self.names(field))
    }
}

/// Whether any preset has a claim with this name.
pub(super) fn is_preset_name(name: &str) -> bool {
    Field::all().any(|field| field.vela() == Some(name) || field.github() == Some(name))
}
