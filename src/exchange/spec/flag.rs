//! Serialization of boolean fields that are written only if they are true.

/// Whether a boolean field is false, so that serialization can leave the field out.
pub(super) const fn is_false(flag: &bool) -> bool {
    !*flag
}
