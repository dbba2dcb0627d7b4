//! HTTP/1.1 as cheap as it gets: requests made beforehand, one connection kept alive, answers by their length.

use std::{net::SocketAddr, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::failure::{Failure, Result};

/// A server that says nothing for so long is taken for dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that is kept alive.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The body as JSON, of a success.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        if self.status != 200 {
            return Err(self.failure());
        }
        Ok(serde_json::from_slice(self.body)?)
    }

    /// What was refused.
    pub fn failure(&self) -> Failure {
        let said: String = String::from_utf8_lossy(self.body).chars().take(400).collect();
        Failure::new(format!("answered with {}: {said}", self.status))
    }
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request that was made beforehand, and reads its answer.
    pub async fn call(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        timeout(PATIENCE, self.exchange(request)).await.map_err(|_| Failure::new("no answer"))?
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (status, head, length) = loop {
            self.more().await?;
            if let Some(found) = head_of(&self.buffer)? {
                break found;
            }
        };
        while self.buffer.len() < head + length {
            self.more().await?;
        }
        let body = self.buffer.get(head..head + length).unwrap_or_default();
        Ok(Answer { status, body })
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(Failure::new("the connection was closed"));
        }
        Ok(())
    }

    /// Posts one thing and reads another.
    pub async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        token: Option<&str>,
        body: &impl Serialize,
    ) -> Result<T> {
        self.call(&post_of(path, token, &serde_json::to_vec(body)?)).await?.json()
    }

    /// Sends a request, and gives the time until the first byte of its answer and the whole of it, which ends with the
    /// connection.
    pub async fn first_byte(mut self, request: &[u8]) -> Result<(Duration, Vec<u8>)> {
        let begin = std::time::Instant::now();
        self.stream.write_all(request).await?;
        timeout(PATIENCE, self.more()).await.map_err(|_| Failure::new("no answer"))??;
        let first = begin.elapsed();
        while timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.map_err(|_| Failure::new("no end"))?? > 0
        {
        }
        Ok((first, self.buffer))
    }
}

/// The status, where the body begins and how long it is; `None` while the head is not complete.
fn head_of(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok());
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some((status, end + 4, length))),
        _ => Err(Failure::new(format!("an answer without status or length: {head}"))),
    }
}

/// The bytes of a POST with a JSON body.
pub fn post_of(path: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\n{authorization}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
