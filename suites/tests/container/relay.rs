//! A way to the Docker daemon that can be cut.

use std::{
    env, io,
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

/// A socket that leads to the daemon's, until it is cut.
pub struct Relay {
    socket: PathBuf,
    ends: Arc<Mutex<Vec<UnixStream>>>,
}

impl Relay {
    pub fn open(folder: &Path) -> Self {
        let socket = folder.join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let ends = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&ends);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(daemon) = UnixStream::connect(daemon()) else {
                    continue;
                };
                pass(&client, &daemon);
                pass(&daemon, &client);
                kept.lock().unwrap().extend([client, daemon]);
            }
        });
        Self { socket, ends }
    }

    /// As `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// From now on nobody answers.
    pub fn cut(self) {
        std::fs::remove_file(&self.socket).unwrap();
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

/// Where the daemon listens.
fn daemon() -> PathBuf {
    let host = env::var("DOCKER_HOST").unwrap_or_default();
    let socket = host
        .strip_prefix("unix://")
        .unwrap_or("/var/run/docker.sock");
    socket.into()
}

fn pass(from: &UnixStream, to: &UnixStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
