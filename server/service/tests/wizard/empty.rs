//! A server that is not set up, and a browser that has no JavaScript.

use std::{
    net::TcpListener,
    path::PathBuf,
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use reqwest::{Response, StatusCode};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use userlock_service::{
    config::{Config, Given, LogConfig, LogFormat, Switch},
    run::RunError,
    wizard::Way,
};

use crate::common::{self, PASSWORD};

/// A server that is not set up.
pub struct Empty {
    pub url: String,
    pub code: String,
    way: Option<mpsc::Receiver<String>>,
    dir: TempDir,
    pub client: reqwest::Client,
    stop: CancellationToken,
    task: Option<JoinHandle<Result<(), RunError>>>,
}

impl Empty {
    pub async fn new() -> Self {
        Self::in_dir(tempfile::tempdir().unwrap()).await
    }

    pub async fn in_dir(dir: TempDir) -> Self {
        let mut empty = Self::begin(dir);
        let way = empty.way.take().unwrap();
        let code = tokio::task::spawn_blocking(move || way.recv_timeout(Duration::from_secs(10)).unwrap());
        empty.code = code.await.unwrap();
        empty
    }

    /// One that runs elsewhere.
    pub fn of(url: String, code: String) -> Self {
        let (dir, client, stop) = (tempfile::tempdir().unwrap(), common::client(), CancellationToken::new());
        Self { url, code, way: None, dir, client, stop, task: None }
    }

    pub fn begin(dir: TempDir) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let config = Config {
            listen: address,
            dir: dir.path().join("data"),
            name: "empty".into(),
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
        let (told, way) = mpsc::channel();
        let stopping = stop.clone();
        let task = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let way_in = move |way: &Way| told.send(way.code.clone()).unwrap();
            runtime.block_on(userlock_service::start(config, Given::default(), listener, stopping, way_in))
        });
        Self { url, code: String::new(), way: Some(way), dir, client: common::client(), stop, task: Some(task) }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub async fn get(&self, path: &str, cookie: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).header("cookie", cookie).send().await.unwrap()
    }

    /// Sends a form, from the origin of the wizard itself.
    pub async fn post(&self, path: &str, cookie: &str, form: &[(&str, &str)]) -> Response {
        let request = self.client.post(format!("{}{path}", self.url)).header("origin", &self.url);
        request.header("cookie", cookie).form(form).send().await.unwrap()
    }

    /// Opens the wizard with the code, and gives the cookie.
    pub async fn open(&self) -> String {
        self.open_at("/wizard/server-type").await
    }

    /// The same, where it goes on at this step.
    pub async fn open_at(&self, step: &str) -> String {
        let opened = self.post("/wizard", "", &[("code", &self.code.to_lowercase())]).await;
        assert_eq!((opened.status(), location(&opened)), (StatusCode::SEE_OTHER, step.to_owned()));
        let cookie = opened.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Sends the form of a step that is refused. Gives the page that says so.
    pub async fn refused(&self, path: &str, cookie: &str, form: &[(&str, &str)], code: &str) -> String {
        let answer = self.post(path, cookie, form).await;
        assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, path.to_owned()), "{form:?}");
        let page = self.get(path, cookie).await.text().await.unwrap();
        assert!(page.contains(&format!("data-code=\"{code}\"")), "{code}: {page}");
        assert!(!page.contains(PASSWORD), "no password is ever shown");
        page
    }

    /// Sends the form of a step that is passed.
    pub async fn passed(&self, path: &str, cookie: &str, form: &[(&str, &str)], to: &str) {
        let answer = self.post(path, cookie, form).await;
        let page =
            if location(&answer) == path { self.get(path, cookie).await.text().await.unwrap() } else { String::new() };
        assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, to.to_owned()), "{page}");
    }

    /// Waits for a page to say something.
    pub async fn says(&self, path: &str, cookie: &str, words: &str) -> String {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let page = self.get(path, cookie).await.text().await.unwrap();
            if page.contains(words) {
                return page;
            }
            assert!(Instant::now() < end, "{words}: {page}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Starts it again, as after a power cut: nothing of it is in memory.
    pub async fn restart(mut self) -> Self {
        self.end().await;
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        Self::in_dir(dir).await
    }

    /// The same, of one that is set up by now.
    pub async fn restart_as_server(mut self) -> Self {
        self.end().await;
        Self::begin(std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap()))
    }

    pub async fn end(&mut self) {
        self.stop.cancel();
        let task = self.task.take().unwrap();
        tokio::task::spawn_blocking(move || task.join().unwrap().unwrap()).await.unwrap();
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn location(response: &Response) -> String {
    response.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default()
}
