//! One running worker process, and what it owes.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    Limits, WorkerCommand,
    home::Home,
    ledger::Ledger,
    protocol::{Hello, Request, read_line, to_line},
};
use crate::driver::{Attempt, Outcome};

/// How much of a worker's standard error is kept: its end, in bytes.
const STDERR_KEPT: usize = 2048;

/// How long a worker that has closed its output has to exit, and how long what
/// it leaves is waited for once it is gone: its processes, its standard error.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How often a process group is asked whether it is empty.
const POLL: Duration = Duration::from_millis(1);

/// A worker that has said hello. Dropping it kills the process.
#[derive(Debug)]
pub struct Process {
    hello: Hello,
    ledger: Arc<Ledger>,
    requests: mpsc::UnboundedSender<Vec<u8>>,
    condemn: mpsc::UnboundedSender<String>,
    gone: watch::Receiver<()>,
}

impl Process {
    /// Starts a worker for `driver` and waits for its hello.
    ///
    /// It gets a process group of its own: a Ctrl-C at the terminal reaches the
    /// harness alone, which then decides.
    ///
    /// # Errors
    /// With a sentence for a person, when it does not start, or does not say
    /// hello as it should; it is gone by then.
    pub async fn start(
        driver: &str,
        command: &WorkerCommand,
        home: &Home,
        limits: &Limits,
    ) -> Result<Self, String> {
        let mut child = Command::new(&command.program)
            .args(&command.args)
            .env_clear()
            .envs(home.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&home.folder)
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!(
                    "could not start its worker {}: {error}",
                    command.program.display()
                )
            })?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err("could not open the pipes of its worker".into());
        };
        let mut stdout = BufReader::new(stdout);
        let stderr = StderrTail::collect(stderr);

        let hello = match timeout(limits.hello, read_line(&mut stdout)).await {
            Err(_) => Err(format!("it said no hello within {:?}", limits.hello)),
            Ok(Ok(None)) => Err("it ended before its hello".to_owned()),
            Ok(Ok(Some(line))) => Hello::from_line(&line).map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(format!("it said {error} instead of hello")),
        }
        .and_then(|hello| {
            if hello.driver == driver {
                Ok(hello)
            } else {
                Err(format!("it says it is the driver {}", hello.driver))
            }
        });
        let hello = match hello {
            Ok(hello) => hello,
            Err(why) => return Err(end(child, stderr, &why, LAST_WORDS).await),
        };

        let ledger = Arc::new(Ledger::default());
        let (requests, to_write) = mpsc::unbounded_channel();
        let (condemn, condemned) = mpsc::unbounded_channel();
        let (present, gone) = watch::channel(());
        tokio::spawn(write_requests(stdin, to_write));
        tokio::spawn({
            let ledger = ledger.clone();
            async move {
                keep(child, stdout, stderr, &ledger, condemned).await;
                drop(present);
            }
        });
        Ok(Self {
            hello,
            ledger,
            requests,
            condemn,
            gone,
        })
    }

    /// What the worker said of itself.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Whether the process is of no more use, and if so, why; it is gone by
    /// then.
    pub async fn failure(&self) -> Option<String> {
        self.ledger.failure()?;
        self.gone().await;
        self.ledger.failure()
    }

    /// Plays an attempt.
    ///
    /// # Errors
    /// With a sentence for a person, when there is no outcome. Where the worker
    /// is to blame it is killed, and every other attempt in flight gets the
    /// same answer.
    pub async fn play(&self, attempt: &Attempt, limits: &Limits) -> Result<Outcome, String> {
        let id = attempt.id;
        let line = to_line(&Request {
            attempt: attempt.clone(),
            deadline_ms: u64::try_from(limits.attempt.as_millis()).unwrap_or(u64::MAX),
        })
        .map_err(|error| format!("attempt {id} could not be written: {error}"))?;
        let answer = self.ledger.open(id, &attempt.password)?;
        // When the writer is gone the worker is too, and the keeper answers.
        let _ = self.requests.send(line);

        let answer_within = limits.attempt.saturating_add(limits.grace);
        if let Ok(answer) = timeout(answer_within, answer).await {
            return answer;
        }
        let why = format!("its worker gave attempt {id} no answer within {answer_within:?}");
        let _ = self.condemn.send(why.clone());
        self.gone().await;
        Err(self.failure().await.unwrap_or(why))
    }

    /// Kills the process, and returns when it is gone; attempts in flight are
    /// answered with an error.
    pub async fn stop(&self) {
        let _ = self.condemn.send("its worker was stopped".into());
        self.gone().await;
    }

    async fn gone(&self) {
        let mut gone = self.gone.clone();
        // Nothing is ever sent: the channel closes when the keeper is done.
        while gone.changed().await.is_ok() {}
    }
}

/// Feeds the worker; ends, and so closes its standard input, when the process
/// is dropped or reads no more.
async fn write_requests(mut stdin: ChildStdin, mut requests: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(line) = requests.recv().await {
        if stdin.write_all(&line).await.is_err() {
            return;
        }
    }
}

/// Hands answers out until the worker ends, misbehaves, is condemned, or is
/// not wanted any more; then sees to it that it is gone.
async fn keep(
    child: Child,
    mut stdout: BufReader<ChildStdout>,
    stderr: StderrTail,
    ledger: &Ledger,
    mut condemned: mpsc::UnboundedReceiver<String>,
) {
    let mut exit_within = Duration::ZERO;
    let why = loop {
        tokio::select! {
            line = read_line(&mut stdout) => match line {
                Ok(Some(line)) => match ledger.settle(&line) {
                    Ok(()) => {}
                    Err(why) => break why,
                },
                Ok(None) => {
                    exit_within = LAST_WORDS;
                    break "its worker ended".into();
                }
                Err(error) => break format!("its worker said {error}"),
            },
            // No sender is left when nobody wants the process.
            why = condemned.recv() => break why.unwrap_or_else(|| "its worker was stopped".into()),
        }
    };
    // Nobody is to hand it more work while it is being put away.
    ledger.close(&why);
    let why = end(child, stderr, &why, exit_within).await;
    ledger.fail(&why);
}

/// Kills the worker and all that it started, unless it exits in time by itself;
/// reaps it, and adds to `why` how it exited, and what it had to say.
async fn end(mut child: Child, stderr: StderrTail, why: &str, exit_within: Duration) -> String {
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    let status = timeout(exit_within, child.wait()).await;
    if child.id().is_some()
        && let Some(group) = group.map(Pid::from_raw)
    {
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.kill().await;
        // What the worker started is nobody's child to wait for, and dies when
        // the system gets to it.
        let _ = timeout(LAST_WORDS, gone(group)).await;
    }
    let mut sentence = match status {
        // "exit status: 3", "signal: 9 (SIGKILL)"
        Ok(Ok(status)) => format!("{why} ({status})"),
        _ => why.to_owned(),
    };
    let said = stderr.read().await;
    if !said.is_empty() {
        sentence.push_str("; its standard error ends: ");
        sentence.push_str(&said);
    }
    sentence
}

/// Waits until a process group has no process left.
async fn gone(group: Pid) {
    while killpg(group, None).is_ok() {
        tokio::time::sleep(POLL).await;
    }
}

/// The end of a worker's standard error.
struct StderrTail {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl StderrTail {
    fn collect(mut stderr: ChildStderr) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let ours = kept.clone();
        let reader = tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                let mut kept = ours.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&buffer[..count]);
                let excess = kept.len().saturating_sub(STDERR_KEPT);
                kept.drain(..excess);
            }
        });
        Self { kept, reader }
    }

    /// What was said, once the process is gone.
    async fn read(self) -> String {
        // A grandchild may hold the pipe open for ever.
        let _ = timeout(LAST_WORDS, self.reader).await;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        // A line that has lost its beginning may hold half a secret.
        let whole = match text.split_once('\n') {
            Some((_, whole)) if kept.len() == STDERR_KEPT => whole,
            None if kept.len() == STDERR_KEPT => "",
            _ => &text,
        };
        whole.trim().to_owned()
    }
}
