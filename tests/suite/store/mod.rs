//! What every store must do, and what the one in a file must do besides.

/// Runs each case on every backend, on a database of its own; with `pair:`, on two stores that share one.
macro_rules! on_every_backend {
    (pair: $($case:ident)*) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case(&crate::store::backends::sqlite_pair().await).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
                async fn $case() {
                    super::$case(&crate::store::backends::postgres_pair().await).await;
                }
            )*
        }
    };
    ($($case:ident)*) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    let (store, _place) = crate::store::backends::sqlite().await;
                    super::$case(store.as_ref()).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
                async fn $case() {
                    let store = crate::store::backends::postgres().await;
                    super::$case(store.as_ref()).await;
                }
            )*
        }
    };
}

mod backends;
mod builds;
mod clients;
mod durability;
mod filled;
mod group_commit;
mod issuing;
mod keys;
mod migrating;
mod moving;
mod names;
mod publications;
mod races;
mod redeemable;
mod redeeming;
mod redemption_races;
mod request_tokens;
mod revocation_causes;
mod rights;
mod rules;
mod sample;
mod server;
mod step_tokens;
