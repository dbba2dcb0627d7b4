//! JSON read in the browser: the browser parses it, and what it has parsed is walked once.
//!
//! `serde_json` can read each structure from an object and from a list, and both ways are compiled for each of them;
//! here a structure is an object. That halves the code for reading, which was a tenth of all that the browser loads.

use std::fmt::Display;

use js_sys::{Array, JSON, Object};
use leptos::wasm_bindgen::{JsCast, JsValue};
use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor},
    forward_to_deserialize_any,
};

/// From here on a number of JavaScript does not tell each whole number from the next.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// A text could not be read. Why is not told: the code for that would be as large as that for reading, and both halves
/// are of one build.
#[derive(Debug)]
pub struct Unreadable;

impl Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is not what was asked for")
    }
}

impl std::error::Error for Unreadable {}

impl Error for Unreadable {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// Reads a value from its JSON.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    T::deserialize(Parsed(JSON::parse(text).map_err(|_| Unreadable)?))
}

/// A value as the browser has parsed it.
struct Parsed(JsValue);

impl Parsed {
    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let number = self.0.as_f64().ok_or(Unreadable)?;
        if number.fract() != 0.0 || number.abs() >= INEXACT {
            visitor.visit_f64(number)
        } else if number < 0.0 {
            visitor.visit_i64(number as i64)
        } else {
            visitor.visit_u64(number as u64)
        }
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_string(self.0.as_string().ok_or(Unreadable)?)
    }

    fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_seq(Items { items: self.0.dyn_into().map_err(|_| Unreadable)?, next: 0 })
    }

    fn object<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_map(self.fields()?)
    }

    fn fields(&self) -> Result<Fields, Unreadable> {
        let object = self.0.dyn_ref::<Object>().ok_or(Unreadable)?;
        Ok(Fields { entries: Object::entries(object), next: 0, value: JsValue::UNDEFINED })
    }
}

/// A method for each shape that a value can be asked for.
macro_rules! shapes {
    ($($method:ident => $shape:ident,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> { self.$shape(visitor) })*
    };
}

impl<'de> Deserializer<'de> for Parsed {
    type Error = Unreadable;

    shapes! {
        deserialize_i64 => number,
        deserialize_u8 => number,
        deserialize_u16 => number,
        deserialize_u32 => number,
        deserialize_u64 => number,
        deserialize_f64 => number,
        deserialize_str => text,
        deserialize_string => text,
        deserialize_identifier => text,
        deserialize_seq => list,
        deserialize_map => object,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if let Some(truth) = self.0.as_bool() {
            visitor.visit_bool(truth)
        } else if self.0.as_f64().is_some() {
            self.number(visitor)
        } else if self.0.is_string() {
            self.text(visitor)
        } else if Array::is_array(&self.0) {
            self.list(visitor)
        } else if self.0.is_object() {
            self.object(visitor)
        } else {
            visitor.visit_unit()
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_bool(self.0.as_bool().ok_or(Unreadable)?)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.object(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unreadable> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.list(visitor)
    }

    /// A variant is a text, or an object with its one field.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        if self.0.is_string() {
            return visitor.visit_enum(Variant { name: self.0, value: JsValue::UNDEFINED });
        }
        let (name, value) = self.fields()?.entry().ok_or(Unreadable)?;
        visitor.visit_enum(Variant { name, value })
    }

    forward_to_deserialize_any! { i8 i16 i32 f32 char bytes byte_buf unit_struct }
}

/// The items of a list.
struct Items {
    items: Array,
    next: u32,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Unreadable;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Unreadable> {
        if self.next >= self.items.length() {
            return Ok(None);
        }
        let item = self.items.get(self.next);
        self.next += 1;
        seed.deserialize(Parsed(item)).map(Some)
    }
}

/// The fields of an object.
struct Fields {
    entries: Array,
    next: u32,
    /// Of the name that was read last.
    value: JsValue,
}

impl Fields {
    /// The next name and value.
    fn entry(&mut self) -> Option<(JsValue, JsValue)> {
        let entry: Array = self.entries.get(self.next).dyn_into().ok()?;
        self.next += 1;
        Some((entry.get(0), entry.get(1)))
    }
}

impl<'de> MapAccess<'de> for Fields {
    type Error = Unreadable;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Unreadable> {
        let Some((name, value)) = self.entry() else { return Ok(None) };
        self.value = value;
        seed.deserialize(Parsed(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unreadable> {
        seed.deserialize(Parsed(std::mem::take(&mut self.value)))
    }
}

/// A variant and what it holds.
struct Variant {
    name: JsValue,
    value: JsValue,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Unreadable;
    type Variant = Parsed;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Parsed), Unreadable> {
        Ok((seed.deserialize(Parsed(self.name))?, Parsed(self.value)))
    }
}

impl<'de> VariantAccess<'de> for Parsed {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Unreadable> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unreadable> {
        self.list(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Unreadable> {
        self.object(visitor)
    }
}
