//! What pages are made of: read anew whenever what it is asked by changes, and sent with the page.

use std::{any::Any, marker::PhantomData, pin::Pin, sync::Arc};

use leptos::{
    prelude::Resource,
    server::codee::{Decoder, Encoder},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    api::{self, Refused},
    memo::Held,
};

/// What a page is made of. Behind all of them is one type of resource: it is far more code than a page is.
pub struct Reading<T> {
    answer: Resource<Answer, Answer>,
    of: PhantomData<fn() -> T>,
}

/// What was read.
#[derive(Clone)]
struct Answer {
    /// As it is, where it was read.
    value: Option<Arc<dyn Any + Send + Sync>>,
    /// Its JSON, while it is on its way from the server.
    text: String,
}

impl Encoder<Self> for Answer {
    type Error = std::convert::Infallible;
    type Encoded = String;

    fn encode(answer: &Self) -> Result<String, Self::Error> {
        Ok(answer.text.clone())
    }
}

impl Decoder<Self> for Answer {
    type Error = std::convert::Infallible;
    type Encoded = str;

    fn decode(text: &str) -> Result<Self, Self::Error> {
        Ok(Self { value: None, text: text.to_owned() })
    }
}

type Fetched = Pin<Box<dyn Future<Output = Answer> + Send>>;

fn resource(
    source: Box<dyn Fn() -> Held + Send + Sync>,
    fetch: Box<dyn Fn(Held) -> Fetched + Send + Sync>,
) -> Resource<Answer, Answer> {
    Resource::new_with_options(source, fetch, true)
}

impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Reading<T> {
    /// Reads it anew whenever `source` changes.
    pub fn new<S, F>(
        source: impl Fn() -> S + Send + Sync + 'static,
        read: impl Fn(S) -> F + Send + Sync + 'static,
    ) -> Self
    where
        S: Clone + Default + PartialEq + Send + Sync + 'static,
        F: Future<Output = Result<T, Refused>> + Send + 'static,
    {
        let fetch = move |by: Held| -> Fetched {
            let read = read(by.get());
            Box::pin(async move {
                let value = read.await;
                let text = if cfg!(feature = "ssr") { serde_json::to_string(&value).ok() } else { None };
                Answer { value: Some(Arc::new(value)), text: text.unwrap_or_default() }
            })
        };
        Self { answer: resource(Box::new(move || Held::new(source())), Box::new(fetch)), of: PhantomData }
    }

    /// What was read, or why it was not.
    pub async fn done(self) -> Result<T, Refused> {
        let Answer { value, text } = self.answer.await;
        match value.as_deref().and_then(<dyn Any + Send + Sync>::downcast_ref::<Result<T, Refused>>) {
            Some(value) => value.clone(),
            None => api::read(&text).unwrap_or_else(|error| Err(api::unreadable(&error))),
        }
    }
}

impl<T> Clone for Reading<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Reading<T> {}
