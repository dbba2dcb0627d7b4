//! The arguments of a server function, written as a form would give them: `query[user]=alice`.

use std::fmt;

use serde::{
    Serialize, Serializer,
    ser::{Impossible, SerializeSeq, SerializeStruct},
};
use web_sys::UrlSearchParams;

/// What a form with these arguments would give. Fractions and what has no name cannot be given.
pub fn fields(arguments: &impl Serialize) -> Option<UrlSearchParams> {
    let given = UrlSearchParams::new().ok()?;
    arguments.serialize(Field { given: &given, name: String::new() }).ok()?;
    Some(given)
}

/// Where a value is written to.
struct Field<'a> {
    given: &'a UrlSearchParams,
    name: String,
}

impl Field<'_> {
    fn give(self, value: &str) -> fmt::Result {
        self.given.append(&self.name, value);
        Ok(())
    }
}

/// What has fields or items of its own.
struct Fields<'a> {
    given: &'a UrlSearchParams,
    name: String,
    items: usize,
}

impl Fields<'_> {
    fn add<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> fmt::Result {
        let name = if self.name.is_empty() { key.to_owned() } else { format!("{}[{key}]", self.name) };
        value.serialize(Field { given: self.given, name })
    }
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> fmt::Result {
        self.add(key, value)
    }

    fn end(self) -> fmt::Result {
        Ok(())
    }
}

impl SerializeSeq for Fields<'_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        let key = self.items.to_string();
        self.items += 1;
        self.add(&key, value)
    }

    fn end(self) -> fmt::Result {
        Ok(())
    }
}

/// A method for each type of number that is written in the same way.
macro_rules! numbers {
    ($($method:ident: $number:ty,)*) => {
        $(fn $method(self, value: $number) -> fmt::Result { self.give(&value.to_string()) })*
    };
}

impl<'a> Serializer for Field<'a> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Fields<'a>;
    type SerializeTuple = Impossible<(), fmt::Error>;
    type SerializeTupleStruct = Impossible<(), fmt::Error>;
    type SerializeTupleVariant = Impossible<(), fmt::Error>;
    type SerializeMap = Impossible<(), fmt::Error>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Impossible<(), fmt::Error>;

    numbers! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
    }

    fn serialize_bool(self, value: bool) -> fmt::Result {
        self.give(if value { "true" } else { "false" })
    }

    fn serialize_f32(self, _: f32) -> fmt::Result {
        Err(fmt::Error)
    }

    fn serialize_f64(self, _: f64) -> fmt::Result {
        Err(fmt::Error)
    }

    fn serialize_char(self, value: char) -> fmt::Result {
        self.give(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> fmt::Result {
        self.give(value)
    }

    fn serialize_bytes(self, _: &[u8]) -> fmt::Result {
        Err(fmt::Error)
    }

    fn serialize_none(self) -> fmt::Result {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> fmt::Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> fmt::Result {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> fmt::Result {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> fmt::Result {
        self.give(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> fmt::Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> fmt::Result {
        Err(fmt::Error)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Fields<'a>, fmt::Error> {
        Ok(Fields { given: self.given, name: self.name, items: 0 })
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, fmt::Error> {
        Err(fmt::Error)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTuple, fmt::Error> {
        Err(fmt::Error)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTuple, fmt::Error> {
        Err(fmt::Error)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, fmt::Error> {
        Err(fmt::Error)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, fmt::Error> {
        Ok(Fields { given: self.given, name: self.name, items: 0 })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeMap, fmt::Error> {
        Err(fmt::Error)
    }
}
