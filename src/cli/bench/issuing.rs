//! Benchmark P1: ID tokens per second over HTTP, each recorded on disk, compared with signatures per second on the same
//! core without any other work.

use std::time::Duration;

use super::cores::Cores;
use super::limit::Signing;
use super::load::Load;
use super::report::{Row, Spread, median};
use super::server::Server;
use crate::cli::failure::Failure;

/// Number of rounds of each measurement; the median of the rounds is the result.
const ROUNDS: usize = 9;

const WARM_UP: Duration = Duration::from_secs(1);
const LIMIT_ROUND: Duration = Duration::from_millis(750);
const LOAD_ROUND: Duration = Duration::from_millis(1_500);

/// Goal of the benchmark: the minimum ratio of tokens per second to bare signatures per second.
const GOAL: f64 = 0.75;

pub(super) fn measure(cores: Cores) -> Result<Row, Failure> {
    let signing = Signing::new(cores)?;
    let server = Server::start(cores)?;
    let credentials = server.create_client()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut load = runtime.block_on(Load::prepare(&server, &credentials))?;
    runtime.block_on(load.measure(WARM_UP))?;
    signing.measure(WARM_UP)?;
    let (mut results, mut limits, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let limit = signing.measure(LIMIT_ROUND)?;
        let result = runtime.block_on(load.measure(LOAD_ROUND))?;
        results.push(result.round());
        limits.push(limit.round());
        ratios.push((result / limit * 1_000.0).round() / 1_000.0);
    }
    let ((result, of_result), (limit, of_limit)) = (median(&results), median(&limits));
    let ratio = (result / limit * 1_000.0).round() / 1_000.0;
    Ok(Row {
        id: "P1",
        what: "ID tokens over HTTP, each recorded on disk before it is sent (RS256-2048, 64 connections, embedded SQLite, \
               the server on one core); limit: bare RS256-2048 signatures on that core",
        result,
        limit,
        ratio,
        goal: GOAL,
        met: ratio >= GOAL,
        unit: "tokens/s",
        spread: Spread { result: of_result, limit: of_limit, ratio: median(&ratios).1 },
    })
}
