//! Where the log goes: standard error, for people on a terminal, as JSON lines otherwise, or as set.

use std::io::{IsTerminal as _, stderr};

use anyhow::Context as _;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{Log, LogFormat};

/// Begins to log; what is still on its way is written when the guard goes. An errand only logs what is wrong.
pub fn begin(log: &Log, is_server: bool) -> anyhow::Result<WorkerGuard> {
    let level = if is_server { log.level.as_str() } else { "error" };
    let is_word = ["error", "warn", "info", "debug", "trace", "off"].contains(&level);
    // A bare level is ours; other crates only warn, as they know nothing of what must not be logged.
    // actix writes an error for every connection that is not HTTP: any port scanner could fill the log.
    let directives =
        if is_word { format!("warn,actix_http::h1::dispatcher=off,wabook={level}") } else { level.to_owned() };
    let filter = EnvFilter::try_new(directives).context("log.level is neither a level nor a filter")?;
    // A slow terminal or pipe must not slow requests down: lines beyond the buffer are dropped and counted.
    let (writer, guard) = NonBlockingBuilder::default().thread_name("log").finish(stderr());
    let is_json = match log.format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !stderr().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    if is_json {
        let lines = fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer);
        registry.with(lines).init();
    } else {
        let lines = fmt::layer().with_ansi(stderr().is_terminal()).with_target(false).with_writer(writer);
        registry.with(lines).init();
    }
    Ok(guard)
}
