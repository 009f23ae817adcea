//! Flags that are written only if they are set.

/// Whether a flag is false, and can be left out.
pub(super) const fn is_false(flag: &bool) -> bool {
    !*flag
}
