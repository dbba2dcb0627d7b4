//! Sign-ins of the dashboard: a random cookie, kept as its hash.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::{HeaderMap, HeaderValue, header};
use userlock_core::{
    id::Digest,
    settings::{LocalAccount, Security},
};

use super::{Principal, Proof};
use crate::{
    random,
    store::product::{ProductStore, ProductStoreError, StoredSignIn},
};

/// The most sign-ins at a time; the ones longest unused end first.
const MAX_SIGN_INS: usize = 10_000;
/// After this time a sign-in ends in any case.
const LONGEST_MS: i64 = 7 * 24 * 3600 * 1000;
/// How often the last use is written to the disk.
const WRITE_EVERY_MS: i64 = 60_000;

/// The name of a sign-in: the hash of its cookie.
pub type SignInId = [u8; 32];

/// Why somebody cannot be signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] ProductStoreError),
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] random::NoRandomness),
}

/// Who is signed in.
#[derive(Debug)]
pub struct SignIns {
    store: ProductStore,
    secure: bool,
    cookie: String,
    known: Mutex<HashMap<SignInId, Known>>,
}

#[derive(Debug)]
struct Known {
    row: StoredSignIn,
    written_at: i64,
}

/// The cookie's name. With TLS, browsers keep one of this prefix to this very host; they do not tell its ports apart, so
/// the port is in the name: a Primary and a Backup on one host do not sign each other's users out.
#[must_use]
pub fn cookie_name(secure: bool, port: u16) -> String {
    let prefix = if secure { "__Host-" } else { "" };
    format!("{prefix}userlock-{port}")
}

impl SignIns {
    /// Takes up the sign-ins from before the start. `port` is that on which the server listens.
    ///
    /// # Errors
    /// [`ProductStoreError`].
    pub async fn load(store: ProductStore, secure: bool, port: u16) -> Result<Self, ProductStoreError> {
        let rows = store.sign_ins().await?;
        let known = rows.into_iter().map(|row| (row.hash, Known { written_at: row.last_seen, row })).collect();
        Ok(Self { store, secure, cookie: cookie_name(secure, port), known: Mutex::new(known) })
    }

    /// Signs somebody in; the answer is the `Set-Cookie` header.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn begin(&self, account: &LocalAccount, address: &str, now: i64) -> Result<HeaderValue, SignInError> {
        let secret = random::secret("")?;
        let row = StoredSignIn {
            hash: hash(&secret),
            account: account.name.clone(),
            password_mark: password_mark(account),
            address: address.to_owned(),
            created_at: now,
            last_seen: now,
        };
        self.store.put_sign_in(&row).await?;
        let ended = {
            let mut known = self.lock();
            let ended = if known.len() >= MAX_SIGN_INS { longest_unused(&known) } else { None };
            if let Some(id) = &ended {
                known.remove(id);
            }
            known.insert(row.hash, Known { written_at: now, row });
            ended
        };
        if let Some(id) = ended {
            self.store.delete_sign_in(&id).await?;
        }
        Ok(self.cookie(&secret, "Max-Age=604800"))
    }

    /// Ends a sign-in.
    ///
    /// # Errors
    /// [`ProductStoreError`]; it has ended until the next start all the same.
    pub async fn end(&self, id: &SignInId) -> Result<(), ProductStoreError> {
        self.lock().remove(id);
        self.store.delete_sign_in(id).await
    }

    /// Who is signed in, by the settings as they are now: the name of each sign-in, with its row.
    #[must_use]
    pub fn list(&self, security: &Security, now: i64) -> Vec<(Digest, StoredSignIn)> {
        let known = self.lock();
        let valid = known.values().filter(|entry| valid_account(&entry.row, security, now).is_some());
        valid.map(|entry| (public_name(&entry.row.hash), entry.row.clone())).collect()
    }

    /// The `Set-Cookie` header that removes the cookie.
    #[must_use]
    pub fn removal(&self) -> HeaderValue {
        self.cookie("", "Max-Age=0")
    }

    /// Who the cookie of a request is of, by the settings as they are now. `touch`: the request is a sign of activity.
    #[must_use]
    pub fn find(&self, headers: &HeaderMap, security: &Security, now: i64, touch: bool) -> Option<Principal> {
        let id = hash(cookie_in(headers, &self.cookie)?);
        self.check(&id, security, now, touch)
    }

    /// Who this sign-in is of, if it has not ended.
    #[must_use]
    pub fn check(&self, id: &SignInId, security: &Security, now: i64, touch: bool) -> Option<Principal> {
        let (account, write) = {
            let mut known = self.lock();
            let entry = known.get_mut(id)?;
            let account = valid_account(&entry.row, security, now).cloned();
            if account.is_none() {
                let id = entry.row.hash;
                known.remove(&id);
                let store = self.store.clone();
                tokio::spawn(async move { store.delete_sign_in(&id).await });
                return None;
            }
            let mut write = None;
            if touch && now > entry.row.last_seen {
                entry.row.last_seen = now;
                if now - entry.written_at >= WRITE_EVERY_MS {
                    entry.written_at = now;
                    write = Some(entry.row.clone());
                }
            }
            (account?, write)
        };
        if let Some(row) = write {
            let store = self.store.clone();
            // Losing this costs at most a minute of idle time.
            tokio::spawn(async move { store.put_sign_in(&row).await });
        }
        Some(Principal {
            rights: security.rights_of_account(&account),
            roles: account.roles.join(", "),
            name: account.name,
            proof: Proof::SignIn(*id),
        })
    }

    fn cookie(&self, value: &str, age: &str) -> HeaderValue {
        let name = &self.cookie;
        let secure = if self.secure { "; Secure" } else { "" };
        // Lax, not Strict: a link to the dashboard in a mail must find its reader signed in. What changes something
        // is checked by its origin besides.
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; {age}{secure}");
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SignInId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The account of a sign-in that has not ended.
fn valid_account<'a>(row: &StoredSignIn, security: &'a Security, now: i64) -> Option<&'a LocalAccount> {
    let idle = now - row.last_seen < i64::from(security.session_minutes) * 60_000;
    let young = now - row.created_at < LONGEST_MS;
    let account = security.accounts.iter().find(|account| account.name == row.account)?;
    (idle && young && !account.disabled && password_mark(account) == row.password_mark).then_some(account)
}

/// A hash of the account's password hash, so that a new password ends the sign-ins made with the old one.
fn password_mark(account: &LocalAccount) -> [u8; 16] {
    userlock_core::id::hash128("userlock sign-in 1", &[account.password_hash.as_bytes()])
}

/// By which a sign-in is told to administrators: nothing can be signed in with it.
#[must_use]
pub fn public_name(id: &SignInId) -> Digest {
    Digest(userlock_core::id::hash128("userlock sign-in name 1", &[id]))
}

fn hash(secret: &str) -> SignInId {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

fn longest_unused(known: &HashMap<SignInId, Known>) -> Option<SignInId> {
    known.values().min_by_key(|k| k.row.last_seen).map(|k| k.row.hash)
}

/// The value of a cookie in a request's headers.
fn cookie_in<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && !value.is_empty() && value.len() <= 128).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use userlock_core::settings::Role;

    use super::*;

    fn security() -> Security {
        let account = LocalAccount {
            name: "admin".into(),
            password_hash: "one".into(),
            roles: vec![Role::Administrator.as_str().into()],
            disabled: false,
        };
        Security { accounts: vec![account], session_minutes: 10, ..Security::default() }
    }

    fn request(cookie: &HeaderValue) -> HeaderMap {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        HeaderMap::from_iter([(header::COOKIE, format!("other=1; {pair}").parse().unwrap())])
    }

    #[tokio::test]
    async fn a_sign_in_lasts_until_idle_disabled_or_another_password() {
        let dir = tempfile::tempdir().unwrap();
        let store = ProductStore::open(dir.path()).await.unwrap();
        let sign_ins = SignIns::load(store.clone(), true, 8443).await.unwrap();
        let security = security();
        let begin = || sign_ins.begin(&security.accounts[0], "192.0.2.1", 1_000);
        let minutes = |n: i64| 1_000 + n * 60_000;

        let cookie = begin().await.unwrap();
        assert!(cookie.to_str().unwrap().starts_with("__Host-userlock-8443="), "{cookie:?}");
        assert!(
            cookie.to_str().unwrap().contains("HttpOnly; SameSite=Lax")
                && cookie.to_str().unwrap().ends_with("; Secure")
        );
        let headers = request(&cookie);
        assert_eq!(sign_ins.find(&headers, &security, minutes(9), true).unwrap().name, "admin");
        assert!(sign_ins.find(&headers, &security, minutes(18), false).is_some(), "it was used at minute 9");

        let again = SignIns::load(store.clone(), true, 8443).await.unwrap();
        assert!(again.find(&headers, &security, minutes(9), false).is_some(), "it outlives a start");
        assert!(sign_ins.find(&headers, &security, minutes(19), false).is_none(), "idle");

        let headers = request(&begin().await.unwrap());
        let mut changed = security.clone();
        changed.accounts[0].password_hash = "two".into();
        assert!(sign_ins.find(&headers, &changed, minutes(0), false).is_none(), "another password");

        let headers = request(&begin().await.unwrap());
        let mut disabled = security.clone();
        disabled.accounts[0].disabled = true;
        assert!(sign_ins.find(&headers, &disabled, minutes(0), false).is_none(), "disabled");

        let headers = request(&begin().await.unwrap());
        let Some(Principal { proof: Proof::SignIn(id), .. }) = sign_ins.find(&headers, &security, minutes(0), false)
        else {
            panic!("signed in");
        };
        sign_ins.end(&id).await.unwrap();
        assert!(sign_ins.find(&headers, &security, minutes(0), false).is_none(), "signed out");
        assert!(sign_ins.find(&HeaderMap::new(), &security, minutes(0), false).is_none());
    }
}
