//! The command line: what can be asked, in one tree from which parsing and help follow, and how a run begins and ends.
//! `serve` is the default. Every other command is an errand: see `errand`.

mod errand;
mod logging;
mod port;
mod serve;

use std::{
    fmt,
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Flags};

/// A WhatsApp session gateway that emulates a virtual address book.
///
/// Without a command it serves. While a server runs, the other commands go through it; otherwise they open the sessions
/// folder themselves.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct Options {
    /// Read settings from this file instead of ./config.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder that holds the address books
    #[arg(long, global = true, value_name = "FOLDER")]
    sessions: Option<PathBuf>,
    /// Where to listen
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C
    Serve,
    /// Make, list, show and remove instances
    #[command(subcommand)]
    Instance(InstanceCommand),
    /// Make, list, rotate and revoke an instance's access tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Read every address book, or one, and tell what is wrong; exits with 1 if anything is
    Check { instance: Option<String> },
    /// Copy all address books into a new folder, also while they are being written to
    Backup { folder: PathBuf },
    /// Put the contacts of a CSV, vCard or NDJSON file into an address book
    ///
    /// Exits with 1 if any row was refused; each is named on standard error with its line, and keeps no other out. If it is
    /// cut short, run it again: a row that says what the book holds already changes nothing.
    #[command(after_long_help = port::columns_help())]
    Import(port::ImportWish),
    /// Write an address book into a CSV, vCard or NDJSON file
    Export(port::ExportWish),
}

#[derive(Debug, Subcommand)]
enum InstanceCommand {
    /// Make an instance with an empty address book; prints its access token, this once
    Create {
        /// 1 to 64 letters, digits, _ and -; drawn if not given
        id: Option<String>,
    },
    /// List all instances
    List,
    /// Show how an instance stands
    Show { id: String },
    /// Remove an instance with its address book and its tokens, for good
    Remove { id: String },
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make an access token; prints it, this once
    Create {
        instance: String,
        /// What it may do, e.g. contacts:read or groups:*; repeat for more [default: everything]
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// When it expires, e.g. 30d or 12h [default: never]
        #[arg(long, value_name = "DURATION")]
        expires: Option<String>,
        /// A name for your own use
        #[arg(long)]
        label: Option<String>,
    },
    /// List an instance's tokens, without their secrets
    List { instance: String },
    /// Put a new token in the place of one, which is revoked; prints it, this once
    Rotate { instance: String, token_id: String },
    /// Revoke a token from now on
    Revoke { instance: String, token_id: String },
}

/// Parses the arguments and runs one command. Errors go to standard error, as one line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let is_json = cli.options.json;
    match run(cli) {
        Ok(code) => code,
        Err(error) if is_json => {
            eprintln!("{}", serde_json::json!({"error": format!("{error:#}")}));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("wabook: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(Cli { options, command }: Cli) -> anyhow::Result<ExitCode> {
    let Options { config, sessions, listen, json } = options;
    let config = Config::load(&Flags { file: config, listen, sessions })?;
    let command = command.unwrap_or(Command::Serve);
    let _flush = logging::begin(&config.log, matches!(command, Command::Serve))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(config.threads() + 4)
        .thread_name("wabook")
        .enable_all()
        .build()?;
    let code = runtime.block_on(async {
        match command {
            Command::Serve => serve::serve(&config, json).await.map(|()| ExitCode::SUCCESS),
            command => errand::run(&config, command, json).await,
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    code
}

/// One answer on standard output.
fn say(text: impl fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
