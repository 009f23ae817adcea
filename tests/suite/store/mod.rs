//! What every store must do, and what the one in a file must do besides.

/// Runs each case on every backend, on a store of its own.
macro_rules! on_every_backend {
    ($($case:ident)*) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    let backend = crate::store::sample::Sqlite::fresh().await;
                    super::$case(&backend.store).await;
                }
            )*
        }
    };
}

mod conformance;
mod durability;
mod issuing;
mod names;
mod races;
mod sample;
