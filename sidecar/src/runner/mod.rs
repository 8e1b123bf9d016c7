//! Runs a handler that is one file: Node.js or Python behind Lambda's invocation path (`skillcall handler run`).
//!
//! The interpreter is the machine's own; the script that it gets is built in, and speaks Lambda's invocation path with
//! its error headers, its context object and its time-out. The process ends with its owner: it watches its standard
//! input.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use url::Url;

/// A runtime is up within this time, its file loaded.
const UP: Duration = Duration::from_secs(60);

/// A handler's file, and how it is run.
#[derive(Debug, Clone)]
pub struct HandlerFile {
    /// The file: `.js`, `.mjs`, `.cjs` or `.py`.
    pub file: PathBuf,
    /// The exported function; default `handler`, and for Python `lambda_handler`. A dotted name reaches into objects.
    pub export: Option<String>,
    /// The function's name in the path and in the context; default: the file's.
    pub name: Option<String>,
    /// Where it listens; port 0: any free one.
    pub listen: SocketAddr,
    /// How long one invocation may take (Lambda's default: 3 s).
    pub timeout: Duration,
    /// How many events it is given at a time (Lambda: one for each environment).
    pub concurrency: u16,
    /// Variables of its environment, beside those of this process and Lambda's.
    pub environment: Vec<(String, String)>,
}

/// A file that does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The file is not there.
    #[error("{file}: {error}")]
    File {
        /// Which one.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Its ending is none that is known.
    #[error("{0}: expected a file that ends in .js, .mjs, .cjs (Node.js) or .py (Python)")]
    Ending(PathBuf),
    /// The interpreter is missing.
    #[error("`{program}` cannot be run: {error}; install it, or set {variable} to its path")]
    Interpreter {
        /// Its name.
        program: String,
        /// The variable that names another.
        variable: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// It ended before it listened, or could not listen.
    #[error("the runner did not start: {0}")]
    NotUp(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Node,
    Python,
}

impl Language {
    fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()? {
            "js" | "mjs" | "cjs" => Some(Self::Node),
            "py" => Some(Self::Python),
            _ => None,
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Node => "SKILLCALL_NODE",
            Self::Python => "SKILLCALL_PYTHON",
        }
    }

    fn program(self) -> String {
        std::env::var(self.variable()).unwrap_or_else(|_| {
            match self {
                Self::Node => "node",
                Self::Python => "python3",
            }
            .to_owned()
        })
    }
}

impl HandlerFile {
    /// A file on a free port of loopback, with Lambda's defaults.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            export: None,
            name: None,
            listen: SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 0),
            timeout: Duration::from_secs(3),
            concurrency: 1,
            environment: Vec::new(),
        }
    }

    /// Whether a name is that of a file that can be run.
    pub fn is_one(name: &str) -> bool {
        Language::of(Path::new(name)).is_some()
    }

    /// Starts the interpreter, and waits until it listens. What the handler prints goes to standard error.
    ///
    /// # Errors
    /// [`RunnerError`]. That the file cannot be loaded is none: as at Lambda, each invocation then fails.
    pub async fn start(&self) -> Result<RunningHandler, RunnerError> {
        let file = self
            .file
            .canonicalize()
            .map_err(|error| RunnerError::File {
                file: self.file.clone(),
                error,
            })?;
        let language = Language::of(&file).ok_or_else(|| RunnerError::Ending(self.file.clone()))?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let name: String = self.name.clone().unwrap_or_else(|| stem.into_owned());
        let default = match language {
            Language::Node => "handler",
            Language::Python => "lambda_handler",
        };
        let export = self.export.as_deref().unwrap_or(default);
        let token = format!("skillcall-runner-{}", uuid::Uuid::new_v4().simple());
        let settings = json!({
            "file": file,
            "handler": export,
            "name": name,
            "host": self.listen.ip().to_string(),
            "port": self.listen.port(),
            "token": token,
            "timeoutMs": u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX),
            "concurrency": self.concurrency.max(1),
        });
        let program = language.program();
        let mut command = Command::new(&program);
        match language {
            Language::Node => command.args(["-e", include_str!("node.cjs")]),
            Language::Python => command.args(["-u", "-c", include_str!("python.py")]),
        };
        let folder = file.parent().unwrap_or(Path::new("/"));
        lambda_environment(&mut command, &name, export, folder);
        command
            .envs(self.environment.iter().cloned())
            .env("SKILLCALL_RUNNER", settings.to_string())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| RunnerError::Interpreter {
            program,
            variable: language.variable(),
            error,
        })?;
        let port = tokio::time::timeout(UP, announced(&mut child, &token))
            .await
            .map_err(|_| RunnerError::NotUp(format!("not up within {} s", UP.as_secs())))??;
        let address = SocketAddr::new(self.listen.ip(), port);
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let url = format!("http://{address}/2015-03-31/functions/{name}/invocations");
        let url = Url::parse(&url).map_err(|error| RunnerError::NotUp(error.to_string()))?;
        Ok(RunningHandler { child, url })
    }
}

/// What Lambda's runtimes find in their environment; what is set already stays.
fn lambda_environment(command: &mut Command, name: &str, export: &str, folder: &Path) {
    let defaults = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "skillcall"),
        ("TZ", ":UTC"),
    ];
    for (variable, value) in defaults {
        if std::env::var_os(variable).is_none() {
            command.env(variable, value);
        }
    }
    command
        .env("AWS_LAMBDA_FUNCTION_NAME", name)
        .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
        .env("LAMBDA_TASK_ROOT", folder)
        .env("_HANDLER", export);
}

/// The port, from the line that begins with the token; all other lines are passed on.
async fn announced(child: &mut Child, token: &str) -> Result<u16, RunnerError> {
    let not_up = |what: String| RunnerError::NotUp(what);
    let output = child
        .stdout
        .take()
        .ok_or_else(|| not_up("no standard output".to_owned()))?;
    let mut lines = BufReader::new(output).lines();
    let port = loop {
        let line = lines
            .next_line()
            .await
            .map_err(|error| not_up(error.to_string()))?
            .ok_or_else(|| not_up("the interpreter ended".to_owned()))?;
        let Some(told) = line.strip_prefix(token) else {
            eprintln!("{line}");
            continue;
        };
        match told.trim().split_once(' ') {
            Some(("port", port)) => {
                break port
                    .parse()
                    .map_err(|_| not_up(format!("it announced port {port}")))?;
            }
            _ => return Err(not_up(told.trim().trim_start_matches("error ").to_owned())),
        }
    };
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            eprintln!("{line}");
        }
    });
    Ok(port)
}

/// A handler that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct RunningHandler {
    child: Child,
    url: Url,
}

impl RunningHandler {
    /// Where it is invoked: `http://HOST:PORT/2015-03-31/functions/NAME/invocations`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Waits until the process ends by itself; says how.
    ///
    /// # Errors
    /// The system's.
    pub async fn ended(&mut self) -> std::io::Result<std::process::ExitStatus> {
        // `wait` closes standard input, which is what the script lives by.
        let input = self.child.stdin.take();
        let status = self.child.wait().await;
        drop(input);
        status
    }

    /// Ends the process.
    pub async fn stop(mut self) {
        // It may have ended already.
        let _ = self.child.kill().await;
    }
}
