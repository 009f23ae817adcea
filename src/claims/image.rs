//! OCI image references, as written: nothing is supplied that the CI did not say.

use serde::{Deserialize, Serialize};

/// An image reference and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Image {
    reference: String,
}

impl TryFrom<String> for Image {
    type Error = &'static str;

    fn try_from(reference: String) -> Result<Self, Self::Error> {
        Ok(Self { reference })
    }
}

impl From<Image> for String {
    fn from(image: Image) -> Self {
        image.reference
    }
}
