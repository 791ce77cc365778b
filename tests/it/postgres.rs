//! A throw-away PostgreSQL: its own folder, socket and port, stopped when dropped. As root it runs as `postgres` or
//! `nobody`, since the server refuses root. `TOLLGATE_TEST_DATABASE_URL` names a server to use instead, where a
//! test needs no outage. Absent: installing it; `tests/postgres-up.sh` does.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    owner: Option<(u32, u32)>,
    server: Option<Child>,
}

/// An empty database, on a cluster of its own unless the environment names a server.
pub struct Database {
    pub url: String,
    _cluster: Option<Cluster>,
}

pub async fn database() -> Database {
    let Ok(base) = std::env::var("TOLLGATE_TEST_DATABASE_URL") else {
        let cluster = Cluster::start();
        return Database { url: cluster.url(), _cluster: Some(cluster) };
    };
    let name = format!("tollgate_test_{}", uuid::Uuid::now_v7().simple());
    let pool = sqlx::PgPool::connect(&base).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
    let (server, query) = base.split_once('?').map_or((base.as_str(), ""), |(server, query)| (server, query));
    let (scheme, authority) = server.split_once("://").unwrap();
    let host = authority.split('/').next().unwrap();
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    Database { url: format!("{scheme}://{host}/{name}{query}"), _cluster: None }
}

impl Cluster {
    pub fn start() -> Self {
        let mut cluster = Self::stopped();
        cluster.resume();
        cluster
    }

    /// A cluster that is ready to be started, and away until then.
    pub fn stopped() -> Self {
        let folder = tempfile::Builder::new().prefix("tollgate-pg-").tempdir().unwrap();
        let owner = owner();
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { folder, programs: programs(), port, owner, server: None };
        let made = cluster
            .command("initdb")
            .args(["--no-sync", "-A", "trust", "-U", "tollgate", "-E", "UTF8", "--locale=C", "-D"])
            .arg(cluster.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        cluster
    }

    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same server behind another port, such as a proxy's.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://tollgate@127.0.0.1:{port}/postgres?sslmode=disable")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server and waits until it answers.
    pub fn resume(&mut self) {
        let server = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.path().join("server.log")).unwrap())
            .spawn()
            .unwrap();
        self.server = Some(server);
        let begun = Instant::now();
        loop {
            let ready = self
                .command("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .unwrap();
            if ready.success() {
                return;
            }
            let log = || std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills the server as a crash would: connections are cut, nothing is flushed.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
            let _ = server.wait();
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).env("LC_ALL", "C");
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whom to become: nobody else unless we are root.
fn owner() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    if std::fs::metadata("/proc/self").map(|own| own.uid()).unwrap_or(1) != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("a user other than root to run PostgreSQL as"))
}

/// Where the newest installed server's programs are.
fn programs() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = debian
        .filter_map(|version| {
            Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path().join("bin")))
        })
        .filter(|(_, programs)| programs.join("initdb").exists())
        .max();
    if let Some((_, programs)) = newest {
        return programs;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .expect("PostgreSQL's initdb and postgres; `tests/postgres-up.sh` installs them")
}
