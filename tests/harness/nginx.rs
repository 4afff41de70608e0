//! A real nginx from the recipe that we hand out, and what stands behind it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::http::{self, Answer, At};
use crate::mosquitto::free_port;
use crate::program::Program;
use crate::wait::{SOON, within};

const NGINX: &str = "/usr/sbin/nginx";
/// What operators start from.
const CONF: &str = include_str!("../../systems/recipes/nginx/nginx.conf");

/// A running proxy on a port of its own.
#[derive(Debug)]
pub struct Nginx {
    port: u16,
    program: Program,
}

impl Nginx {
    /// Starts a proxy in `dir` that asks the agent at `socket` and protects `upstream`.
    ///
    /// # Panics
    ///
    /// If nginx is not installed or does not come up.
    #[must_use]
    pub fn start(dir: &Path, socket: &Path, upstream: &Upstream, log: &Path) -> Self {
        fs::create_dir_all(dir).expect("a folder can be made");
        // Between finding a free port and nginx taking it, another test may; then try again.
        for _ in 0..8 {
            let port = free_port();
            fs::write(dir.join("nginx.conf"), conf(dir, socket, upstream, port))
                .expect("a configuration can be written");
            let mut command = Command::new(NGINX);
            command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf"));
            command.arg("-e").arg(dir.join("error.log"));
            command.args(["-g", "daemon off;"]);
            let mut program = Program::start(&mut command, log);
            let up = within(SOON, || match program.ended() {
                Some(_) => Some(false),
                None => TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(true),
            });
            // Somebody else may have taken the port meanwhile, and answered.
            if up == Some(true) && program.ended().is_none() {
                return Self { port, program };
            }
        }
        let said = fs::read_to_string(dir.join("error.log")).unwrap_or_default();
        panic!("nginx should start; is it installed? {said}");
    }

    /// Sends a request through the proxy.
    ///
    /// # Panics
    ///
    /// If the proxy does not answer.
    #[must_use]
    pub fn send(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        http::send(&At::Port(self.port), method, target, headers, b"")
            .expect("nginx always answers")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Told to end it ends its workers too; killed it would leave them.
        self.program.terminate();
    }
}

/// Fills in the recipe; every line that is `yours` is changed, and no other.
fn conf(dir: &Path, socket: &Path, upstream: &Upstream, port: u16) -> String {
    let dir = dir.display();
    let changes = [
        ("user www-data;", "user root;".to_owned()),
        ("pid /run/nginx.pid;", format!("pid {dir}/nginx.pid;")),
        ("error_log /var/log/nginx/error.log warn;", format!("error_log {dir}/error.log warn;")),
        (
            "access_log /var/log/nginx/access.log decided;",
            format!("access_log {dir}/access.log decided;"),
        ),
        ("unix:/run/gateward/api.sock", format!("unix:{}", socket.display())),
        ("127.0.0.1:9000", format!("127.0.0.1:{}", upstream.port)),
        ("127.0.0.1:8080", format!("127.0.0.1:{port}")),
    ];
    let mut conf = CONF.to_owned();
    assert_eq!(conf.matches("# yours").count(), changes.len() + 1);
    for (from, to) in changes {
        assert_eq!(conf.matches(from).count(), 1, "the recipe should say `{from}` once");
        conf = conf.replace(from, &to);
    }

    conf
}

/// A server that answers each request with its head, so that a test sees what went on.
#[derive(Debug)]
pub struct Upstream {
    port: u16,
}

impl Upstream {
    /// Starts it; it ends with the process.
    ///
    /// # Panics
    ///
    /// If loopback has no free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || echo(stream));
            }
        });

        Self { port }
    }
}

fn echo(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut buffer = [0_u8; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    // Whoever asked may be gone.
    let _ = stream.write_all(answer.as_bytes());
}
