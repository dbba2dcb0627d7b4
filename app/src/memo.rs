//! Values that are worked out from others, again only when those change.

use std::{any::Any, marker::PhantomData, sync::Arc};

use leptos::prelude::{Get, GetUntracked, MaybeProp, Signal};

/// A value that is worked out from others, and passed on only when it is another one.
///
/// Behind all of them is one type of memo of Leptos: one for each type of value was a twentieth of what the browser
/// loads.
pub struct Memo<T> {
    held: leptos::prelude::Memo<Held>,
    of: PhantomData<fn() -> T>,
}

/// A value of a type that only those know who hold it and ask for it.
#[derive(Clone)]
pub struct Held {
    value: Arc<dyn Any + Send + Sync>,
    same: fn(&dyn Any, &dyn Any) -> bool,
}

impl Held {
    /// Holds a value.
    pub fn new<T: PartialEq + Send + Sync + 'static>(value: T) -> Self {
        Self { value: Arc::new(value), same: same::<T> }
    }

    /// The value. That of another type is not here: then it is the default.
    pub fn get<T: Clone + Default + 'static>(&self) -> T {
        self.value.downcast_ref::<T>().cloned().unwrap_or_default()
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        (self.same)(&*self.value, &*other.value)
    }
}

fn same<T: PartialEq + 'static>(one: &dyn Any, other: &dyn Any) -> bool {
    one.downcast_ref::<T>() == other.downcast_ref::<T>()
}

fn hold(work_out: Box<dyn Fn() -> Held + Send + Sync>) -> leptos::prelude::Memo<Held> {
    leptos::prelude::Memo::new(move |_| work_out())
}

impl<T: Default + PartialEq + Send + Sync + 'static> Memo<T> {
    /// Works it out by a function.
    pub fn new(work_out: impl Fn() -> T + Send + Sync + 'static) -> Self {
        let held = hold(Box::new(move || Held::new(work_out())));
        Self { held, of: PhantomData }
    }

    /// Something of the value, read with a subscription.
    pub fn with<R>(self, what: impl FnOnce(&T) -> R) -> R {
        let held = self.held.get();
        // It is never of another type.
        match held.value.downcast_ref() {
            Some(value) => what(value),
            None => what(&T::default()),
        }
    }

    /// The value, read with a subscription.
    #[must_use]
    pub fn get(self) -> T
    where
        T: Clone,
    {
        self.held.get().get()
    }

    /// The value as it is now.
    #[must_use]
    pub fn get_untracked(self) -> T
    where
        T: Clone,
    {
        self.held.get_untracked().get()
    }
}

impl<T> Clone for Memo<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Memo<T> {}

impl<T: Clone + Default + PartialEq + Send + Sync + 'static> From<Memo<T>> for Signal<T> {
    fn from(memo: Memo<T>) -> Self {
        Self::derive(move || memo.get())
    }
}

impl<T: Clone + Default + PartialEq + Send + Sync + 'static> From<Memo<T>> for MaybeProp<T> {
    fn from(memo: Memo<T>) -> Self {
        Self::derive(move || Some(memo.get()))
    }
}
