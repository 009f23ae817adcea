//! Chooses which of several rejections of a token is reported: the rejection by the latest check. The other rejections
//! are never reported.

use super::Check;

/// Chooses one rejection of a token that several providers or entitlements rejected: the rejection by the latest check.
/// Of several rejections by this check, the first is kept.
#[derive(Debug)]
pub(crate) struct Furthest<T>(Option<(Check, T)>);

impl<T> Default for Furthest<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Furthest<T> {
    /// Keeps `rejection`, which `check` made, if none is kept yet or if the kept rejection came from an earlier check.
    pub(crate) fn note(&mut self, check: Check, rejection: T) {
        if self.0.as_ref().is_none_or(|(furthest, _)| *furthest < check) {
            self.0 = Some((check, rejection));
        }
    }

    /// Returns the kept rejection; `None` if [`Self::note`] was never called.
    pub(crate) fn into_inner(self) -> Option<T> {
        self.0.map(|(_, rejection)| rejection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rejection_that_got_furthest_is_kept_and_the_first_of_equals() {
        let mut furthest = Furthest::default();
        assert_eq!(Furthest::<&str>::default().into_inner(), None);
        for (check, rejection) in
            [(Check::Key, "key"), (Check::Time, "time"), (Check::Audience, "audience"), (Check::Time, "time again")]
        {
            furthest.note(check, rejection);
        }
        assert_eq!(furthest.into_inner(), Some("time"));
    }
}
