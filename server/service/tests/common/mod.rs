//! A real server of its own for a test: in a directory of its own, on a free port.
#![allow(dead_code, reason = "each test uses its part")]

pub mod browser;
pub mod mail;
pub mod postgres;

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    sync::LazyLock,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use userlock_core::{
    api::ServerRole,
    id::{Epoch, EpochName, ServerId, ZoneId},
    settings::{
        Access, Agents, Area, Change, LocalAccount, OwnRole, OwnSettings, PrimaryAddress, Role, Security, StoredToken,
        Synchronization, ZoneDocument, ZoneSettings,
    },
};
use userlock_service::{
    auth::hash_now,
    config::{Config, LogConfig, LogFormat, Switch},
    random::hash_secret,
    run::RunError,
    zone::{self, Genesis},
};

/// The password of every account of a test.
pub const PASSWORD: &str = "correct-horse";
/// The zone key of a test.
pub const ZONE_KEY: &str = "ulz_test";
/// All roles.
pub const ROLES: [Role; 3] = [Role::ReadOnly, Role::Operator, Role::Administrator];

static PASSWORD_HASH: LazyLock<String> = LazyLock::new(|| hash_now(PASSWORD).unwrap());

/// The API token of a role.
pub fn token(role: Role) -> String {
    format!("ult_{}", role.as_str())
}

/// A server that runs in this process.
pub struct Server {
    pub url: String,
    pub address: SocketAddr,
    pub dir: TempDir,
    pub client: reqwest::Client,
    stop: CancellationToken,
    task: Option<JoinHandle<Result<(), RunError>>>,
}

pub fn client() -> reqwest::Client {
    // Another test of this process may have done so before.
    _ = rustls::crypto::ring::default_provider().install_default();
    let redirects = reqwest::redirect::Policy::none();
    reqwest::Client::builder().redirect(redirects).timeout(Duration::from_secs(40)).build().unwrap()
}

/// A role for each area and each access to it, beside those that are always there.
pub fn own_roles() -> Vec<OwnRole> {
    let of = |area: Area| {
        [(Access::Read, "read"), (Access::Write, "write"), (Access::Deny, "deny")].map(|(access, word)| OwnRole {
            name: format!("{word}-{}", area.as_str()),
            rights: BTreeMap::from([(area, access)]),
        })
    };
    Area::ALL.into_iter().flat_map(of).collect()
}

/// The settings of a test's zone: an account and a token for each role, named as the role; of an area that is denied, an
/// administrator's account to which it is denied.
pub fn settings() -> ZoneSettings {
    let account = |name: &str| LocalAccount {
        name: name.to_owned(),
        password_hash: PASSWORD_HASH.clone(),
        roles: match name.starts_with("deny-") {
            true => vec![name.to_owned(), Role::Administrator.as_str().to_owned()],
            false => vec![name.to_owned()],
        },
        disabled: false,
    };
    let stored = |name: &str| StoredToken {
        name: name.to_owned(),
        hash: hash_secret(&format!("ult_{name}")),
        role: name.to_owned(),
        at: 0,
        expires: None,
    };
    let own = own_roles();
    let names = || ROLES.iter().map(|role| role.as_str()).chain(own.iter().map(|role| role.name.as_str()));
    ZoneSettings {
        agents: Agents { zone_key_hash: hash_secret(ZONE_KEY), ..Agents::default() },
        security: Security {
            accounts: names().map(account).collect(),
            tokens: names().map(stored).collect(),
            roles: own.clone(),
            ..Security::default()
        },
        ..ZoneSettings::default()
    }
}

impl Server {
    /// A Primary.
    pub async fn primary() -> Self {
        Self::start(ServerRole::Primary).await
    }

    /// A Backup whose Primary does not answer.
    pub async fn backup() -> Self {
        Self::start(ServerRole::Backup).await
    }

    async fn start(role: ServerRole) -> Self {
        let (zone, server) = (ZoneId([8; 16]), if role == ServerRole::Primary { 7 } else { 6 });
        let dir = Self::prepare(role, zone, ServerId([server; 16]), |_| {}).await;
        Self::begin(dir).await
    }

    /// Starts it in a directory that was prepared.
    pub async fn begin(dir: TempDir) -> Self {
        Self::serve(dir, TcpListener::bind("127.0.0.1:0").unwrap()).await
    }

    /// The directory of a server that was set up and has not yet run; its own settings are changed as told.
    pub async fn prepare(
        role: ServerRole,
        zone_id: ZoneId,
        server_id: ServerId,
        change_own: impl FnOnce(&mut OwnSettings),
    ) -> TempDir {
        Self::prepare_zone(role, zone_id, server_id, settings(), change_own).await
    }

    /// The same, with the zone's settings as they are given.
    pub async fn prepare_zone(
        role: ServerRole,
        zone_id: ZoneId,
        server_id: ServerId,
        zone: ZoneSettings,
        change_own: impl FnOnce(&mut OwnSettings),
    ) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let epoch = Epoch { number: 1, name: EpochName([1; 16]) };
        let change = Change { epoch, at: 0, by: "test", section: "general", reason: None };
        // Nothing listens on the discard port.
        let primary = PrimaryAddress { url: "http://127.0.0.1:9".into(), fingerprint: String::new() };
        let synchronization =
            (role == ServerRole::Backup).then(|| Synchronization::of(primary.clone(), "administrator".into()));
        let mut own = OwnSettings { revision: 1, synchronization, ..OwnSettings::default() };
        change_own(&mut own);
        let genesis = Genesis {
            server_id,
            zone_id,
            role,
            epoch,
            settings: ZoneDocument::next(None, zone, change).unwrap(),
            own,
            peer: (role == ServerRole::Backup).then(|| zone::StoredPeer {
                server_id: ServerId([9; 16]),
                name: "primary".into(),
                address: userlock_core::agent_api::ServerAddress::new(primary.url, ""),
                account: "administrator".into(),
                token_hash: String::new(),
                told_under: None,
                token: Some("none".into()),
            }),
        };
        zone::create(dir.path(), &genesis).await.unwrap();
        dir
    }

    async fn serve(dir: TempDir, listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let config = Config {
            listen: address,
            dir: dir.path().to_owned(),
            name: "test".into(),
            public_url: url.clone(),
            tls: None,
            plain_http: true,
            log: LogConfig {
                filter: "info".into(),
                format: LogFormat::Text,
                journald: Switch::Off,
                syslog: Switch::Off,
            },
        };
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        // As the program does: on a thread and with a runtime of its own.
        let task = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(userlock_service::run(config, listener, stopping))
        });
        let server = Self { url, address, dir, client: client(), stop, task: Some(task) };
        server.wait_until_alive().await;
        server
    }

    async fn wait_until_alive(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.client.get(format!("{}/healthz", self.url)).send().await.is_err() {
            assert!(Instant::now() < end, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops it in order, and starts it again where it was.
    pub async fn restart(mut self) -> Self {
        self.stop.cancel();
        let task = self.task.take().unwrap();
        tokio::task::spawn_blocking(move || task.join().unwrap().unwrap()).await.unwrap();
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        Self::serve(dir, TcpListener::bind(self.address).unwrap()).await
    }

    /// Waits until it has ended by itself. Its directory.
    pub async fn ended(mut self) -> TempDir {
        let task = self.task.take().unwrap();
        tokio::task::spawn_blocking(move || task.join().unwrap().unwrap()).await.unwrap();
        std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap())
    }

    /// Writes a section back with changes, at its present revision.
    pub async fn change(&self, path: &str, change: impl FnOnce(&mut Value)) -> Response {
        let mut body = self.get(path).await;
        change(&mut body);
        let etag = self.etag(path).await;
        self.admin(Method::PUT, path).header("if-match", etag).json(&body).send().await.unwrap()
    }

    /// Waits until the application log has so many events of an id.
    pub async fn wait_for_log(&self, id: u32, total: u64) {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            let log = self.get(&format!("/api/v1/application-log?id={id}")).await;
            if log["total"] == total {
                return;
            }
            assert!(Instant::now() < end, "{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A request without any proof of who asks.
    pub fn plain(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A request with the token of a role.
    pub fn as_role(&self, role: Role, method: Method, path: &str) -> RequestBuilder {
        self.plain(method, path).bearer_auth(token(role))
    }

    /// A request of the administrator.
    pub fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.as_role(Role::Administrator, method, path)
    }

    /// What the administrator reads.
    pub async fn get(&self, path: &str) -> Value {
        let response = self.admin(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    /// The `ETag` of something.
    pub async fn etag(&self, path: &str) -> String {
        let response = self.admin(Method::GET, path).send().await.unwrap();
        response.headers()["etag"].to_str().unwrap().to_owned()
    }

    /// Signs in, and gives the cookie.
    pub async fn sign_in(&self, account: &str) -> String {
        let response = self.sign_in_form(account, PASSWORD).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookie = response.headers().get("set-cookie").expect("a cookie").to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Sends the form.
    pub async fn sign_in_form(&self, account: &str, password: &str) -> Response {
        let form = [("user", account), ("password", password), ("next", "/sessions")];
        self.plain(Method::POST, "/sign-in").header("origin", &self.url).form(&form).send().await.unwrap()
    }

    /// All that must not change by a request that is refused.
    pub async fn fingerprint_of_state(&self) -> Value {
        let mut view = self.get("/api/v1/server").await;
        let keep = ["position", "settings_revision", "held_digest", "state_digest", "sessions_version"];
        view.as_object_mut().unwrap().retain(|name, _| keep.contains(&name.as_str()));
        let own =
            self.admin(Method::GET, "/api/v1/settings/synchronization").send().await.unwrap().text().await.unwrap();
        serde_json::json!([view, own])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The code and the field of a problem, after a check of its form.
pub async fn problem(response: Response) -> (u16, String, Option<String>) {
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type").map(|v| v.to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    assert_eq!(content_type.as_deref(), Some("application/problem+json"), "{status} {text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["status"], status, "{text}");
    assert!(
        body["title"].as_str().is_some_and(|t| !t.is_empty()) && body["detail"].as_str().is_some_and(|d| !d.is_empty())
    );
    (status, body["code"].as_str().unwrap().to_owned(), body["field"].as_str().map(str::to_owned))
}
