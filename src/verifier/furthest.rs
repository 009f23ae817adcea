//! Chooses among several rejections of one token: only the one whose checks got furthest is reported.

use super::Check;

/// The rejection whose checks got furthest, of several providers or entitlements that a token was tried with. Ties keep
/// the first.
#[derive(Debug)]
pub(crate) struct Furthest<T>(Option<(Check, T)>);

impl<T> Default for Furthest<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Furthest<T> {
    /// Keeps `rejection`, which failed at `check`, if it got further than all before.
    pub(crate) fn note(&mut self, check: Check, rejection: T) {
        if self.0.as_ref().is_none_or(|(furthest, _)| *furthest < check) {
            self.0 = Some((check, rejection));
        }
    }

    /// Returns the rejection; `None` if none was noted.
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
