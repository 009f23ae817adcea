//! A query that keeps its text, since the driver's errors do not hold the text. The query itself runs unchanged.

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgStatement};
use sqlx::{Execute, Postgres, SqlStr};

/// A query that keeps its text, so that a refusal of the statement can be explained.
pub(super) struct Kept {
    pub(super) sql: SqlStr,
    arguments: Option<Result<Option<PgArguments>, BoxDynError>>,
    is_persistent: bool,
}

impl Kept {
    pub(super) fn of<'q>(mut query: impl Execute<'q, Postgres>) -> Self {
        let (arguments, is_persistent) = (query.take_arguments(), query.persistent());
        Self { sql: query.sql(), arguments: Some(arguments), is_persistent }
    }
}

impl Execute<'_, Postgres> for Kept {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.arguments.take().unwrap_or(Ok(None))
    }

    fn persistent(&self) -> bool {
        self.is_persistent
    }
}
