//! Sign-ins of the dashboard: a random cookie, kept as its hash.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::{HeaderMap, HeaderValue, header};
use userlock_core::{
    id::Digest,
    settings::{LocalAccount, Security, role_titles},
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

/// Why a sign-in cannot go on with another password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotExpected {
    /// It has ended.
    #[error("the sign-in has ended")]
    Ended,
    /// Another change is under way.
    #[error("the password is being changed already")]
    Busy,
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
    /// The mark of the password that its account is getting, while it changes it.
    next_mark: Option<[u8; 16]>,
}

impl Known {
    fn new(row: StoredSignIn, written_at: i64) -> Self {
        Self { row, written_at, next_mark: None }
    }
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
        let entry = |row: StoredSignIn| (row.hash, row.last_seen, row);
        let known = rows.into_iter().map(entry).map(|(hash, seen, row)| (hash, Known::new(row, seen))).collect();
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
            password_mark: password_mark(&account.password_hash),
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
            known.insert(row.hash, Known::new(row, now));
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

    /// The account of this sign-in is about to get a password with this hash, and the sign-in is to go on with it: until
    /// [`Self::go_on`] or [`Self::give_up`] it is good with either.
    ///
    /// # Errors
    /// [`NotExpected`].
    pub fn expect_password(&self, id: &SignInId, password_hash: &str) -> Result<(), NotExpected> {
        let mut known = self.lock();
        let entry = known.get_mut(id).ok_or(NotExpected::Ended)?;
        if entry.next_mark.is_some() {
            return Err(NotExpected::Busy);
        }
        entry.next_mark = Some(password_mark(password_hash));
        Ok(())
    }

    /// The password that was expected is set: the sign-in goes on with it, by a new cookie with this secret. The one from
    /// before is worth nothing, whoever has a copy of it. The answer is the `Set-Cookie` header; none when the sign-in has
    /// ended meanwhile.
    pub async fn go_on(&self, id: &SignInId, secret: &str) -> Option<HeaderValue> {
        let row = {
            let mut known = self.lock();
            let mark = known.get_mut(id)?.next_mark.take()?;
            let mut entry = known.remove(id)?;
            (entry.row.password_mark, entry.row.hash) = (mark, hash(secret));
            let row = entry.row.clone();
            known.insert(row.hash, entry);
            row
        };
        if let Err(error) = self.store.replace_sign_in(id, &row).await {
            tracing::error!(%error, "a sign-in goes on with a new password until the next start only");
        }
        Some(self.cookie(secret, "Max-Age=604800"))
    }

    /// The password that was expected is not set.
    pub fn give_up(&self, id: &SignInId) {
        if let Some(entry) = self.lock().get_mut(id) {
            entry.next_mark = None;
        }
    }

    /// Who is signed in, by the settings as they are now: the name of each sign-in, with its row.
    #[must_use]
    pub fn list(&self, security: &Security, now: i64) -> Vec<(Digest, StoredSignIn)> {
        let known = self.lock();
        let valid = known.values().filter(|entry| valid_account(entry, security, now).is_some());
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
            let account = valid_account(entry, security, now).cloned();
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
                    write = Some(entry.row.hash);
                }
            }
            (account?, write)
        };
        if let Some(id) = write {
            let store = self.store.clone();
            // Losing this costs at most a minute of idle time. The sign-in may end before it is written.
            tokio::spawn(async move { store.touch_sign_in(&id, now).await });
        }
        Some(Principal {
            rights: security.rights_of_account(&account),
            roles: role_titles(&account.roles),
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
fn valid_account<'a>(known: &Known, security: &'a Security, now: i64) -> Option<&'a LocalAccount> {
    let row = &known.row;
    let idle = now - row.last_seen < i64::from(security.session_minutes) * 60_000;
    let young = now - row.created_at < LONGEST_MS;
    let account = security.accounts.iter().find(|account| account.name == row.account)?;
    let mark = password_mark(&account.password_hash);
    let same_password = mark == row.password_mark || Some(mark) == known.next_mark;
    (idle && young && !account.disabled && same_password).then_some(account)
}

/// A hash of the account's password hash, so that a new password ends the sign-ins made with the old one.
fn password_mark(password_hash: &str) -> [u8; 16] {
    userlock_core::id::hash128("userlock sign-in 1", &[password_hash.as_bytes()])
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
mod tests;
