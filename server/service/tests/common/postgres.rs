//! A real PostgreSQL server of its own for a test: in a directory of its own, on a free port of this machine.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tempfile::TempDir;

/// The password of every account there.
pub const PASSWORD: &str = "sesame-open-11";
/// The user by whom PostgreSQL runs where a test runs as root: it refuses root.
const USER: &str = "postgres";

/// A server that ends with the test.
pub struct Postgres {
    pub port: u16,
    dir: TempDir,
    child: Child,
}

/// The folder of PostgreSQL's programs.
fn programs() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = debian.chain(std::env::split_paths(&path)).find(|folder| folder.join("initdb").is_file());
    found.expect("this test needs PostgreSQL's initdb and postgres: apt-get install postgresql")
}

/// A command that is not root's.
fn command(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"]).arg(program);
    command
}

fn run(mut command: Command) {
    let output = command.stdin(Stdio::null()).output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Postgres {
    /// Starts one that listens on `localhost` and 127.0.0.1, with passwords by SCRAM, and TLS by a certificate that
    /// nobody trusts. Its administrator is `admin`.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let password = write("password", &format!("{PASSWORD}\n"));
        let certified = rcgen::generate_simple_self_signed(["postgres.example".to_owned()]).unwrap();
        let certificate = write("server.crt", &certified.cert.pem());
        let key = write("server.key", &certified.signing_key.serialize_pem());
        if rustix::process::geteuid().is_root() {
            let mut chown = Command::new("chown");
            chown.arg("-R").arg(format!("{USER}:{USER}")).arg(dir.path());
            run(chown);
        }
        let mut initdb = command(&programs().join("initdb"));
        initdb.args(["--no-sync", "--username=admin", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
        initdb.arg(format!("--pwfile={}", password.display())).arg("-D").arg(&data);
        run(initdb);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut postgres = command(&programs().join("postgres"));
        postgres.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in [
            "listen_addresses=localhost,127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "fsync=off".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", certificate.display()),
            format!("ssl_key_file={}", key.display()),
        ] {
            postgres.arg("-c").arg(setting);
        }
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let child = postgres.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let server = Self { port, dir, child };
        let end = Instant::now() + Duration::from_secs(30);
        while server.connect("postgres").await.is_err() {
            let log = fs::read_to_string(server.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "PostgreSQL does not answer: {log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server
    }

    async fn connect(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(self.port).database(database);
        PgConnection::connect_with(&options.username("admin").password(PASSWORD)).await
    }

    /// Does something as the administrator, in a database.
    pub async fn sql(&self, database: &str, statement: &str) {
        let mut connection = self.connect(database).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// One number as the administrator sees it, in a database.
    pub async fn number(&self, database: &str, query: &str) -> i64 {
        let mut connection = self.connect(database).await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_one(&mut connection).await.unwrap()
    }

    /// Makes an account, and a database of its own.
    pub async fn make(&self, user: &str, database: &str) {
        self.sql("postgres", &format!("create role {user} login password '{PASSWORD}'")).await;
        self.sql("postgres", &format!("create database {database} owner {user}")).await;
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, and its children with it: nothing there is to be kept.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
        _ = self.child.wait();
    }
}
