//! The configuration, typed. The one reader of config.toml and of the environment: everything else is handed the values
//! it needs. The config.toml at the top of the repository is embedded and is itself the list of defaults.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use figment::{
    Figment,
    providers::{Env, Format as _, Toml},
};
use serde::{Deserialize, Deserializer, de};

const DEFAULTS: &str = include_str!("../config.toml");

/// Read when nobody names another.
const USUAL_FILE: &str = "config.toml";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub http: Http,
    pub sessions: Sessions,
    pub gateway: Gateway,
    pub limits: Limits,
    pub outside: Outside,
    pub log: Log,
    pub mounts: Mounts,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub listen: SocketAddr,
    pub workers: usize,
    #[serde(deserialize_with = "duration")]
    pub keep_alive: Duration,
    #[serde(deserialize_with = "duration")]
    pub head_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub body_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub answer_timeout: Duration,
    pub body_limit: usize,
    #[serde(deserialize_with = "duration")]
    pub grace: Duration,
    pub tls_certificate: PathBuf,
    pub tls_key: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    pub folder: PathBuf,
    pub open_books: usize,
    #[serde(deserialize_with = "duration")]
    pub idle: Duration,
    #[serde(deserialize_with = "duration")]
    pub tombstones: Duration,
    pub mailbox: usize,
    pub long_reads: usize,
    pub threads: usize,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    pub admin_token: String,
    pub secret_key: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub requests_per_minute: u32,
    pub bulk_rows: usize,
    pub bulk_body: usize,
    pub webhooks: usize,
    pub event_streams: usize,
    pub contacts: u64,
    pub book_bytes: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outside {
    pub allow: Vec<String>,
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Auto,
    Human,
    Json,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mounts {
    pub wawp: Vec<String>,
    pub hypersender: Vec<String>,
    pub superwaba: Vec<String>,
    pub wacr: Vec<String>,
    pub waha: Vec<String>,
}

/// What the command line overrides.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub file: Option<PathBuf>,
    pub listen: Option<SocketAddr>,
    pub sessions: Option<PathBuf>,
}

impl Config {
    pub fn load(flags: &Flags) -> anyhow::Result<Self> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        figment = match &flags.file {
            Some(file) => {
                anyhow::ensure!(file.is_file(), "the configuration file {} does not exist", file.display());
                figment.merge(Toml::file_exact(file))
            }
            None if Path::new(USUAL_FILE).is_file() => figment.merge(Toml::file_exact(USUAL_FILE)),
            None => figment,
        };
        // Only names with a section: WABOOK_TOKEN in somebody's shell is not a setting.
        let environment = Env::prefixed("WABOOK_").filter(|key| key.as_str().contains("__")).split("__");
        let mut config: Self = figment.merge(environment).extract().context("the configuration is not right")?;
        if let Some(listen) = flags.listen {
            config.http.listen = listen;
        }
        if let Some(sessions) = &flags.sessions {
            config.sessions.folder.clone_from(sessions);
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.sessions.mailbox > 0, "sessions.mailbox must be at least 1");
        anyhow::ensure!(self.sessions.long_reads > 0, "sessions.long_reads must be at least 1");
        anyhow::ensure!(self.http.body_limit >= 1024, "http.body_limit must be at least 1024");
        anyhow::ensure!(!self.http.answer_timeout.is_zero(), "http.answer_timeout must be longer than nothing");
        anyhow::ensure!(
            self.http.tls_certificate.as_os_str().is_empty() == self.http.tls_key.as_os_str().is_empty(),
            "http.tls_certificate and http.tls_key go together: set both or none"
        );
        anyhow::ensure!(self.limits.bulk_rows > 0, "limits.bulk_rows must be at least 1");
        anyhow::ensure!(self.limits.bulk_body >= 1024, "limits.bulk_body must be at least 1024");
        anyhow::ensure!(!self.outside.timeout.is_zero(), "outside.timeout must be longer than nothing");
        let token = &self.gateway.admin_token;
        anyhow::ensure!(
            token.is_empty() || token.len() >= 16,
            "gateway.admin_token must have at least 16 characters (or be empty, to have one made)"
        );
        let key = &self.gateway.secret_key;
        anyhow::ensure!(
            key.is_empty() || key.len() >= 16,
            "gateway.secret_key must have at least 16 characters (or be empty, to use the gateway's key file)"
        );
        let Mounts { wawp, hypersender, superwaba, wacr, waha } = &self.mounts;
        for prefix in [wawp, hypersender, superwaba, wacr, waha].into_iter().flatten() {
            anyhow::ensure!(
                prefix.is_empty()
                    || (prefix.starts_with('/') && !prefix.ends_with('/') && !prefix.contains(['{', '}', '*'])),
                "[mounts]: a prefix looks like /v2, or is empty for the root"
            );
        }
        Ok(())
    }

    pub fn workers(&self) -> usize {
        if self.http.workers > 0 { self.http.workers } else { cores() }
    }

    /// The threads that read and write books.
    pub fn threads(&self) -> usize {
        if self.sessions.threads > 0 { self.sessions.threads } else { cores() * 8 }
    }
}

impl Http {
    /// The PEM files of the certificate and of its key, if connections are to be secure.
    pub fn tls(&self) -> Option<(&Path, &Path)> {
        (!self.tls_key.as_os_str().is_empty()).then_some((&self.tls_certificate, &self.tls_key))
    }
}

/// Both are secrets, also from whoever prints the configuration.
impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("admin_token", &"…").field("secret_key", &"…").finish()
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let span: Option<jiff::Span> = text.parse().ok();
    // A day has 24 hours here.
    let signed = span.and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok());
    let signed = signed.ok_or_else(|| de::Error::custom("a duration is written like 30s, 5m, 1h or 90d"))?;
    Duration::try_from(signed).map_err(|_| de::Error::custom("a duration cannot be negative"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_file_is_a_whole_configuration() {
        let config: Config = Figment::from(Toml::string(DEFAULTS)).extract().unwrap();
        config.check().unwrap();
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.sessions.idle, Duration::from_secs(30));
        assert_eq!(config.sessions.tombstones, Duration::from_secs(90 * 86_400));
    }

    #[test]
    fn every_setting_is_explained() {
        for (line, before) in DEFAULTS.lines().skip(1).zip(DEFAULTS.lines()) {
            if line.contains(" = ") && !line.starts_with('#') {
                assert!(before.starts_with("# "), "no sentence above: {line}");
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        let broken = |toml: &str| {
            let read: Result<Config, _> = Figment::from(Toml::string(DEFAULTS)).merge(Toml::string(toml)).extract();
            read.unwrap_err().to_string()
        };
        assert!(broken("[http]\nlisten = \"nowhere\"").contains("listen"));
        assert!(broken("[http]\nlissten = \"127.0.0.1:1\"").contains("lissten"));
        assert!(broken("[sessions]\nidle = \"soon\"").contains("30s, 5m"));
        assert!(broken("[sessions]\ntombstones = \"-1d\"").contains("negative"));
        assert!(broken("[sessions]\nmailbox = -1").contains("mailbox"));
    }
}
