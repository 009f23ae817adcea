//! Shape of a provider in a rules file: the member `name`, beside the members of `[oidc.NAME]` in the configuration.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::verifier::ProviderSpec;

/// A provider as operators write it in a rules file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedProviderSpec {
    /// Unique name of the provider.
    pub name: String,
    /// All members of the provider but `name`.
    pub spec: ProviderSpec,
}

impl Serialize for NamedProviderSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut whole = Map::from_iter([("name".to_owned(), Value::from(self.name.as_str()))]);
        if let Value::Object(spec) = serde_json::to_value(&self.spec).map_err(serde::ser::Error::custom)? {
            whole.extend(spec);
        }
        whole.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NamedProviderSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let mut whole = Map::deserialize(deserializer)?;
        let Some(Value::String(name)) = whole.remove("name") else {
            return Err(D::Error::custom("name: is required, as a string"));
        };
        let spec = serde_path_to_error::deserialize(Value::Object(whole)).map_err(|error| {
            let (field, problem) = (error.path().to_string(), error.inner());
            match field.as_str() {
                "." => D::Error::custom(format!("provider {name:?}: {problem}")),
                field => D::Error::custom(format!("provider {name:?}: {field}: {problem}")),
            }
        })?;
        Ok(Self { name, spec })
    }
}
