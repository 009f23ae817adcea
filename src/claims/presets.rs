//! Presets: families of names under which the same fields appear as claims.

use std::str::FromStr;

use super::fields::{Field, FieldSource, FieldValue};

/// A family of names for the same facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// GitHub's names, so that verifiers written for GitHub work.
    GitHub,
    /// Vela's names, and ours.
    Vela,
}

impl FromStr for Preset {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "github" => Ok(Self::GitHub),
            "vela" => Ok(Self::Vela),
            "gitlab" => Err("gitlab is not supported yet; use vela, github or both"),
            _ => Err("must be vela or github"),
        }
    }
}

/// The presets in force: at least one, each once.
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
    /// The names under which a field appears, each once.
    fn names(&self, field: &Field) -> impl Iterator<Item = &'static str> {
        let name = |preset: Option<&Preset>| match preset? {
            Preset::GitHub => field.github(),
            Preset::Vela => field.vela(),
        };
        let first = name(self.0.first());
        let second = name(self.0.get(1)).filter(|second| Some(*second) != first);
        first.into_iter().chain(second)
    }

    /// Calls `emit` with every claim that has a value.
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

    /// Every name that these presets may show.
    pub(super) fn all_names(&self) -> impl Iterator<Item = &'static str> {
        Field::all().flat_map(|field| self.names(field))
    }
}

/// Whether any preset has a claim of this name.
pub(super) fn is_preset_name(name: &str) -> bool {
    Field::all().any(|field| field.vela() == Some(name) || field.github() == Some(name))
}
