//! Criteria for a service principal of Microsoft Entra. Accepts a principal that signed in with a certificate or
//! another issuer's token, and never a principal that signed in with a secret.

use serde_json::{Map, Value};

use super::input::Input;
use super::outcome::{Unmatched, required};
use crate::base::FieldError;

/// Criteria that name a service principal of Microsoft Entra, by two GUIDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntraCriteria {
    /// Id of the tenant that the service principal belongs to.
    pub tid: String,
    /// Object id of the service principal.
    pub oid: String,
}

impl EntraCriteria {
    pub(super) fn read(table: &Map<String, Value>) -> Result<Self, FieldError> {
        let input = Input::new(table, &["tid", "oid"])?;
        let guid = |field: &str| {
            let text = input.required(field)?;
            let lengths: Vec<usize> = text.split('-').map(str::len).collect();
            if lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
                Ok(text.to_ascii_lowercase())
            } else {
                Err(FieldError::new(field, "must be a GUID, such as 11111111-2222-3333-4444-555555555555"))
            }
        };
        Ok(Self { tid: guid("tid")?, oid: guid("oid")? })
    }

    pub(super) fn evaluate(&self, claims: &Map<String, Value>) -> Result<(), Unmatched> {
        for (claim, expected) in [("ver", "2.0"), ("idtyp", "app"), ("azpacr", "2")] {
            let actual = required(claims, claim)?;
            if actual != expected {
                return Err(Unmatched::undisclosed(claim, expected, actual));
            }
        }
        for (claim, expected) in [("tid", &self.tid), ("oid", &self.oid), ("sub", &self.oid)] {
            let actual = required(claims, claim)?;
            if !actual.eq_ignore_ascii_case(expected) {
                return Err(Unmatched::undisclosed(claim, expected, actual));
            }
        }
        Ok(())
    }
}
