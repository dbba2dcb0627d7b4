//! A device between two servers that ends TLS, and speaks it by a certificate of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{
        StatusCode,
        header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    },
    response::{IntoResponse as _, Response},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use userlock_core::agent_api::ServerAddress;
use userlock_service::tls::Identity;

use super::Node;

/// It passes on whatever it is asked until it is dropped.
pub struct Device {
    pub address: ServerAddress,
    handle: Handle<SocketAddr>,
}

impl Device {
    /// Before a server.
    pub fn before(node: &Node) -> Self {
        // The first in this process; the programs do it for themselves.
        _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let at = listener.local_addr().unwrap();
        let identity = Identity::make(&["device.example"], at.ip()).unwrap();
        let (client, base) = (node.http().clone(), node.url().to_owned());
        let router = Router::new().fallback(move |request: Request| pass_on(client.clone(), base.clone(), request));
        let handle = Handle::new();
        let tls = RustlsConfig::from_config(identity.server_config().unwrap());
        let server = axum_server::from_tcp_rustls(listener, tls).unwrap().handle(handle.clone());
        tokio::spawn(server.serve(router.into_make_service()));
        Self { address: ServerAddress::new(format!("https://{at}"), identity.fingerprint()), handle }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

async fn pass_on(client: reqwest::Client, base: String, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    for name in [HOST, CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    let url = format!("{base}{}", parts.uri.path_and_query().unwrap());
    let Ok(answer) = client.request(parts.method, url).headers(parts.headers).body(body).send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for name in [CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let Ok(body) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    (status, headers, Body::from(body)).into_response()
}
