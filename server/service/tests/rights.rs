//! Every route and server function with every role, from the tables that they are built from.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use common::{ROLES, Server, own_roles, settings, token};
use reqwest::{Method, StatusCode};
use userlock_app::api::SERVER_FUNCTIONS;
use userlock_core::settings::{Area, Right as Needed, Rights, Role};
use userlock_service::{auth::Right, http::table};

/// An address with something in place of its parameters. What is not there is a 404 only for who may ask.
fn concrete(path: &str) -> String {
    let key = format!("{}-1@pc", "0".repeat(32));
    path.replace("{key}", &key).replace("{id}", &"0".repeat(32))
}

/// The roles that are always there, and one for each area and each access to it.
fn all_roles() -> Vec<String> {
    ROLES.iter().map(|role| role.as_str().to_owned()).chain(own_roles().into_iter().map(|role| role.name)).collect()
}

fn rights_of(role: &str) -> Rights {
    settings().security.rights_of([role])
}

/// The status of a request, without the body: that of a live stream has no end.
async fn status(server: &Server, method: &Method, path: &str, proof: Option<(&str, &str)>) -> StatusCode {
    let mut request = server.plain(method.clone(), &concrete(path));
    if let Some((name, value)) = proof {
        request = request.header(name, value);
    }
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn each_route_lets_in_whom_the_table_says() {
    let server = Server::primary().await;
    for (method, path, right) in table::all() {
        let nobody = status(&server, &method, path, None).await;
        let wrong = status(&server, &method, path, Some(("authorization", "Bearer ult_nonsense"))).await;
        if right == Right::Public {
            // Enrolling and joining have their own proofs in the body, which is missing here.
            assert_ne!(nobody, StatusCode::UNAUTHORIZED, "{method} {path}");
            continue;
        }
        // The other server's routes look at the protocol's version before they look at who asks.
        let version = if right == Right::Peer { StatusCode::BAD_REQUEST } else { StatusCode::UNAUTHORIZED };
        assert_eq!((nobody, wrong), (version, version), "{method} {path}");
        for role in all_roles() {
            let got = status(&server, &method, path, Some(("authorization", &format!("Bearer ult_{role}")))).await;
            match right {
                Right::Agent => {
                    assert_eq!(got, StatusCode::UNAUTHORIZED, "{method} {path}: an API token is no agent's")
                }
                Right::Peer => assert_eq!(got, StatusCode::BAD_REQUEST, "{method} {path}"),
                _ if right.is_given_to(rights_of(&role)) => {
                    let kept_out = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&got);
                    assert!(!kept_out && got.as_u16() < 500, "{method} {path} as {role}: {got}");
                }
                _ => assert_eq!(got, StatusCode::FORBIDDEN, "{method} {path} as {role}"),
            }
        }
    }
}

#[tokio::test]
async fn an_area_that_is_denied_stays_closed_to_an_administrator() {
    let server = Server::primary().await;
    for denied in Area::ALL {
        let cookie = server.sign_in(&format!("deny-{}", denied.as_str())).await;
        let calls = table::all().filter_map(|(method, path, right)| match right {
            Right::Of(Needed::Read(area) | Needed::Write(area)) => Some((method, path, area)),
            _ => None,
        });
        for (method, path, area) in calls {
            let request = server.plain(method.clone(), &concrete(path)).header("cookie", &cookie);
            let got = request.header("origin", &server.url).send().await.unwrap().status();
            assert_eq!(got == StatusCode::FORBIDDEN, area == denied, "{method} {path} without {denied:?}: {got}");
        }
    }
}

#[tokio::test]
async fn the_other_servers_routes_need_its_token() {
    let server = Server::primary().await;
    for (method, path, _) in table::all().filter(|(_, _, right)| *right == Right::Peer) {
        for proof in ["Bearer ult_nonsense".to_owned(), format!("Bearer {}", token(Role::Administrator))] {
            let request = server.plain(method.clone(), path).header("userlock-replication-version", "1");
            let got = request.header("authorization", proof).send().await.unwrap().status();
            assert_eq!(got, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_cookie_changes_something_only_from_this_servers_pages() {
    let server = Server::primary().await;
    let cookie = server.sign_in("administrator").await;
    for (method, path, right) in table::all() {
        if !matches!(right, Right::Of(_)) {
            continue;
        }
        let send = async |origin: Option<&str>| {
            let mut request = server.plain(method.clone(), &concrete(path)).header("cookie", &cookie);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            request.send().await.unwrap().status()
        };
        assert_ne!(send(Some(&server.url)).await, StatusCode::FORBIDDEN, "{method} {path}");
        let expected_elsewhere = method != Method::GET;
        for origin in [None, Some("https://evil.example"), Some("null")] {
            let refused = send(origin).await == StatusCode::FORBIDDEN;
            assert_eq!(refused, expected_elsewhere, "{method} {path} from {origin:?}");
        }
    }
}

#[tokio::test]
async fn each_server_function_lets_in_whom_its_table_says() {
    let server = Server::primary().await;
    for function in SERVER_FUNCTIONS {
        let method: Method = function.method.parse().unwrap();
        let send = async |authorization: Option<String>| {
            let mut request = server.plain(method.clone(), function.path);
            if method == Method::POST {
                request =
                    request.header("origin", &server.url).header("content-type", "application/x-www-form-urlencoded");
            }
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            request.send().await.unwrap().status()
        };
        assert_eq!(send(None).await, StatusCode::UNAUTHORIZED, "{}", function.path);
        assert_eq!(send(Some("Bearer ult_nonsense".into())).await, StatusCode::UNAUTHORIZED, "{}", function.path);
        for role in all_roles() {
            let got = send(Some(format!("Bearer ult_{role}"))).await;
            let kept_out = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&got);
            let may = rights_of(&role).include(function.right);
            assert_eq!(kept_out, !may, "{} as {role}: {got}", function.path);
        }
    }
    // Without the origin of this server's pages nothing is done in the name of who is signed in.
    let cookie = server.sign_in("administrator").await;
    for function in SERVER_FUNCTIONS.iter().filter(|f| f.method == "POST") {
        let request = server
            .plain(Method::POST, function.path)
            .header("cookie", &cookie)
            .header("origin", "https://evil.example");
        assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{}", function.path);
    }
}
