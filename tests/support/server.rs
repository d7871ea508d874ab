//! The program itself, as a child process over a folder of its own: started, spoken to, asked to stop, killed.

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{wire::Wire, within};

/// A folder for the sessions and, beside them, the log. Outlives the processes that use it.
pub struct Home(TempDir);

pub struct Server {
    child: Option<Child>,
    /// Kept open, so that the child can print.
    _stdout: BufReader<ChildStdout>,
    pub address: String,
    /// What it printed first: on a first start with the demo instance and its token.
    pub announced: Value,
}

impl Home {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn sessions(&self) -> PathBuf {
        self.0.path().join("sessions")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Everything that servers in this home have logged, whole once they have ended.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    /// The program with these arguments, on this home's sessions.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wabook"));
        command.arg("--sessions").arg(self.sessions()).args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        within("the command", move || command.output().unwrap())
    }

    /// Runs a command with `--json` that must succeed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that must fail, and what it said of it.
    pub fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, environment: &[(&str, &str)]) -> Server {
        let mut command = self.command(["serve", "--json", "--listen", "127.0.0.1:0"]);
        command.envs(environment.iter().copied());
        self.start(command)
    }

    /// By somebody whose own habits leave every new file open to all.
    pub fn serve_carelessly(&self) -> Server {
        self.start(self.command_carelessly(&["serve", "--json", "--listen", "127.0.0.1:0"]))
    }

    pub fn command_carelessly(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "umask 0; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_wabook")]);
        command.arg("--sessions").arg(self.sessions()).args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn start(&self, mut command: Command) -> Server {
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (stdout, line) = within("the first line", move || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            (stdout, line)
        });
        let announced: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no first line: {}", self.log()));
        let address = announced["address"].as_str().unwrap().to_owned();
        Server { child: Some(child), _stdout: stdout, address, announced }
    }
}

impl Server {
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// The demo's token, shown on the first start.
    pub fn token(&self) -> String {
        self.announced["access_token"].as_str().unwrap().to_owned()
    }

    pub fn wire(&self) -> Wire {
        Wire::to(&self.address).unwrap()
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM, without waiting.
    pub fn ask_to_stop(&self) {
        self.signal("TERM");
    }

    pub fn signal(&self, name: &str) {
        // The shell has `kill` built in; this crate forbids the unsafe call.
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.id())).status().unwrap();
        assert!(sent.success());
    }

    /// Its end, which must come by itself.
    pub fn ended(mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        within("the end of the server", move || child.wait().unwrap())
    }

    pub fn stop(self) -> ExitStatus {
        self.ask_to_stop();
        self.ended()
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
